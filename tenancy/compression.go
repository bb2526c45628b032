package tenancy

import "gatehouse/internal/conf"

// codingsPos returns where the merged codings are written; zero where they are
// not.
func (s *ExchangeSpec) codingsPos() conf.Pos {
	if s.Compression == nil {
		return conf.Pos{}
	}
	return s.Compression.Codings.Pos
}

// compression tells what becomes of answers.
func (t *Trace) compression(r *Route) {
	if t != nil && r.coded != nil {
		t.pass(gateCompression, r.codedPos, "answers are compressed for clients that take it: "+r.coded.Describe())
	}
}
