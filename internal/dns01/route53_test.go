package dns01

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	gocmp "github.com/google/go-cmp/cmp"
)

// route53Server is as much of the service as is used: one hosted zone whose
// changes take two looks to arrive. It verifies each signature.
type route53Server struct {
	t       *testing.T
	mu      sync.Mutex
	sets    map[string][]string // TXT records by name
	changes map[string]int      // looks until they have arrived
	calls   []string
	fail    func(w http.ResponseWriter, r *http.Request) bool // answers in place of the service
}

func newRoute53Server(t *testing.T) *route53Server {
	return &route53Server{t: t, sets: map[string][]string{}, changes: map[string]int{}}
}

const hostedZone = "Z148EXAMPLE"

func (s *route53Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, r.Method+" "+r.URL.Path)
	if s.fail != nil && s.fail(w, r) {
		return
	}
	if !s.signed(r, body) {
		s.refuse(w, http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
		return
	}
	switch path := strings.TrimPrefix(r.URL.Path, "/2013-04-01/"); {
	case path == "hostedzonesbyname":
		fmt.Fprintf(w, `<ListHostedZonesByNameResponse><HostedZones>
			<HostedZone><Id>/hostedzone/ZPRIVATE</Id><Name>acme.example.</Name><CallerReference>x</CallerReference><Config><PrivateZone>true</PrivateZone></Config></HostedZone>
			<HostedZone><Id>/hostedzone/%s</Id><Name>acme.example.</Name><CallerReference>x</CallerReference></HostedZone>
			<HostedZone><Id>/hostedzone/ZOTHER</Id><Name>acme.example.org.</Name><CallerReference>x</CallerReference></HostedZone>
			</HostedZones><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListHostedZonesByNameResponse>`, hostedZone)
	case path == "hostedzone/"+hostedZone+"/rrset" && r.Method == http.MethodGet:
		s.list(w, r.URL.Query())
	case path == "hostedzone/"+hostedZone+"/rrset" && r.Method == http.MethodPost:
		s.change(w, body)
	case strings.HasPrefix(path, "change/"):
		id := strings.TrimPrefix(path, "change/")
		status := "PENDING"
		if s.changes[id]--; s.changes[id] <= 0 {
			status = "INSYNC"
		}
		fmt.Fprintf(w, `<GetChangeResponse><ChangeInfo><Id>/change/%s</Id><Status>%s</Status><SubmittedAt>2026-11-22T00:00:00Z</SubmittedAt></ChangeInfo></GetChangeResponse>`, id, status)
	default:
		s.refuse(w, http.StatusNotFound, "NoSuchHostedZone", "No hosted zone found with ID: "+path)
	}
}

// signed signs the request again and compares.
func (s *route53Server) signed(r *http.Request, body []byte) bool {
	given := r.Header.Get("Authorization")
	_, rest, _ := strings.Cut(given, "SignedHeaders=")
	names, _, _ := strings.Cut(rest, ",")
	again, err := http.NewRequestWithContext(s.t.Context(), r.Method, "https://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return false
	}
	for name := range strings.SplitSeq(names, ";") {
		if name != "host" && name != "content-length" {
			again.Header[http.CanonicalHeaderKey(name)] = r.Header[http.CanonicalHeaderKey(name)]
		}
	}
	again.ContentLength = max(0, r.ContentLength)
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return false
	}
	sum := sha256.Sum256(body)
	who := aws.Credentials{AccessKeyID: "AKTEST", SecretAccessKey: "correct-horse", SessionToken: r.Header.Get("X-Amz-Security-Token")}
	if who.SessionToken != "" && who.SessionToken != "correct-horse" {
		return false
	}
	if err := v4.NewSigner().SignHTTP(s.t.Context(), who, again, hex.EncodeToString(sum[:]), "route53", "us-east-1", at); err != nil {
		return false
	}
	return again.Header.Get("Authorization") == given
}

func (s *route53Server) refuse(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>1</RequestId></ErrorResponse>`, code, message)
}

// list answers with the set that is asked for, or with the next one, as the
// service does.
func (s *route53Server) list(w http.ResponseWriter, q url.Values) {
	name := q.Get("name")
	values, kind := s.sets[name], "TXT"
	if values == nil {
		name, values, kind = "zz."+name, []string{"192.0.2.1"}, "A"
	}
	var records strings.Builder
	for _, v := range values {
		records.WriteString("<ResourceRecord><Value>")
		_ = xml.EscapeText(&records, []byte(v))
		records.WriteString("</Value></ResourceRecord>")
	}
	fmt.Fprintf(w, `<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet><Name>%s</Name><Type>%s</Type><TTL>60</TTL>
		<ResourceRecords>%s</ResourceRecords></ResourceRecordSet></ResourceRecordSets><IsTruncated>true</IsTruncated><MaxItems>1</MaxItems></ListResourceRecordSetsResponse>`, name, kind, records.String())
}

func (s *route53Server) change(w http.ResponseWriter, body []byte) {
	var in struct {
		Changes []struct {
			Action string
			Set    struct {
				Name, Type string
				TTL        int
				Values     []string `xml:"ResourceRecords>ResourceRecord>Value"`
			} `xml:"ResourceRecordSet"`
		} `xml:"ChangeBatch>Changes>Change"`
	}
	if err := xml.Unmarshal(body, &in); err != nil || len(in.Changes) != 1 || in.Changes[0].Set.Type != "TXT" || in.Changes[0].Set.TTL != 60 {
		s.refuse(w, http.StatusBadRequest, "InvalidInput", "not understood")
		return
	}
	c := in.Changes[0]
	switch {
	case c.Action == "UPSERT":
		s.sets[c.Set.Name] = c.Set.Values
	case c.Action == "DELETE" && gocmp.Equal(s.sets[c.Set.Name], c.Set.Values):
		delete(s.sets, c.Set.Name)
	default:
		s.refuse(w, http.StatusBadRequest, "InvalidChangeBatch", "the values provided do not match the current values")
		return
	}
	id := fmt.Sprintf("C%d", len(s.changes)+1)
	s.changes[id] = 2
	fmt.Fprintf(w, `<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/%s</Id><Status>PENDING</Status><SubmittedAt>2026-11-22T00:00:00Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>`, id)
}

func onRoute53(t *testing.T, s *route53Server, more string) *Provider {
	server, files := httpsServer(t, s.ServeHTTP)
	ps := mustCompile(t, `p: {zones: [acme.example], route53: {access_key_id: AKTEST, secret_access_key: {file: word}, endpoint: "`+server.URL+`", root: root.pem`+more+`}}`, files)
	p := ps.List()[0]
	p.writer.(*hostedZones).pause = soon
	return p
}

// impatient is a provider that holds the key given and waits for nothing.
func impatient(t *testing.T, s *route53Server, key string, timeout time.Duration) *Provider {
	server, _ := httpsServer(t, s.ServeHTTP)
	client := newHTTPClient(server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs)
	client.Timeout = timeout
	w := newRoute53(route53Access{keyID: "AKTEST", key: key, region: route53Region, endpoint: server.URL, client: client, pauseMax: soon})
	w.pause = soon
	return &Provider{name: "p", kind: "route53", zones: []string{"acme.example"}, secrets: []string{"correct-horse"}, writer: w}
}

func TestRoute53(t *testing.T) {
	for _, more := range []string{"", ", hosted_zone_id: " + hostedZone, ", session_token: {file: word}"} {
		s := newRoute53Server(t)
		p := onRoute53(t, s, more)
		const name = "_acme-challenge.pa.acme.example."
		steps := []struct {
			do    string
			value string
			want  []string
		}{
			{"add", "one", []string{`"one"`}},
			{"add", "two", []string{`"one"`, `"two"`}},
			{"add", "two", []string{`"one"`, `"two"`}},
			{"remove", "never", []string{`"one"`, `"two"`}},
			{"remove", "one", []string{`"two"`}},
			{"remove", "two", nil},
			{"remove", "two", nil},
		}
		for _, step := range steps {
			act := p.AppendRecords
			if step.do == "remove" {
				act = p.DeleteRecords
			}
			if _, err := act(t.Context(), "acme.example.", txt("_acme-challenge.pa", step.value)); err != nil {
				t.Fatalf("%s %s: %v", step.do, step.value, err)
			}
			if diff := gocmp.Diff(step.want, s.sets[name]); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", step.do, step.value, diff)
			}
		}
		looked := 0
		for _, call := range s.calls {
			if call == "GET /2013-04-01/hostedzonesbyname" {
				looked++
			}
		}
		if want := 1 - strings.Count(more, "hosted_zone_id"); looked != want {
			t.Errorf("%d looks for the zone, want %d", looked, want)
		}
		for id, left := range s.changes {
			if id <= "C2" && left > 0 {
				t.Errorf("change %s was not waited for", id)
			}
		}
	}
}

func TestRoute53AtOnce(t *testing.T) {
	s := newRoute53Server(t)
	p := onRoute53(t, s, "")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if _, err := p.AppendRecords(t.Context(), "acme.example.", txt("x", fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(s.sets["x.acme.example."]); n != 8 {
		t.Errorf("%d texts of 8", n)
	}
}

func TestRoute53Fails(t *testing.T) {
	answer := func(status int, text string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
			return true
		}
	}
	tests := []struct {
		title string
		zone  string
		key   string // the right one
		fail  func(http.ResponseWriter, *http.Request) bool
		want  string
	}{
		{title: "wrong key", key: "guess", want: "the service says SignatureDoesNotMatch: The request signature we calculated"},
		{title: "another zone", zone: "example.", want: "the access key sees no public hosted zone example.; set hosted_zone_id"},
		{title: "broken", fail: answer(500, "oops"), want: "500"},
		{title: "throttled", fail: answer(400, `<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>`), want: "the service says Throttling: Rate exceeded"},
		{title: "garbage", fail: answer(200, "\x00<<<"), want: "deserialization failed"},
		{title: "endless", fail: answer(200, "<ListHostedZonesByNameResponse>"+strings.Repeat("<x>", 2*route53AnswerMax)), want: "EOF"},
		{title: "echo", fail: answer(403, `<ErrorResponse><Error><Code>Denied</Code><Message>correct-horse is not welcome</Message></Error></ErrorResponse>`), want: "the service says Denied: [redacted] is not welcome"},
		{title: "routing policy", fail: func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/rrset") {
				return false
			}
			fmt.Fprint(w, `<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet><Name>x.acme.example.</Name><Type>TXT</Type><SetIdentifier>eu</SetIdentifier><Weight>1</Weight></ResourceRecordSet></ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>1</MaxItems></ListResourceRecordSetsResponse>`)
			return true
		}, want: "follow a routing policy; expected plain ones"},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			s := newRoute53Server(t)
			s.fail = tt.fail
			p := impatient(t, s, cmp.Or(tt.key, "correct-horse"), 5*time.Second)
			zone := cmp.Or(tt.zone, "acme.example.")
			_, err := p.AppendRecords(t.Context(), zone, txt(strings.TrimSuffix("x.acme.example.", "."+zone), "v"))
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 600 || strings.Contains(err.Error(), "correct-horse") {
				t.Errorf("%v; want %q", err, tt.want)
			}
		})
	}
}

func TestRoute53Slow(t *testing.T) {
	s := newRoute53Server(t)
	s.fail = func(http.ResponseWriter, *http.Request) bool {
		<-t.Context().Done() // see TestWebhookSlow
		return true
	}
	p := impatient(t, s, "correct-horse", 50*time.Millisecond)
	if _, err := p.AppendRecords(t.Context(), "acme.example.", txt("x", "v")); err == nil || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("got %v", err)
	}
}
