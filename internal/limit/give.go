package limit

import "hash/maphash"

// Give gives back one that Take took of a's, as if it had not been taken. It does
// nothing where the bucket is forgotten.
func (k *Keyed) Give(a Address, q Quota) {
	hash := maphash.Comparable(k.seed, a)
	s := &k.shards[hash%keyedShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.set(hash)
	for i := range set {
		if set[i].address == a {
			set[i].full -= int64(q.Every)
			return
		}
	}
}
