package limit

// Nearest returns how many clients have buckets that are not full at the time
// now, and how much of its burst the one has taken that has taken the most, from
// 0 to 1. It looks at all of them.
func (k *Keyed) Nearest(now int64, q Quota) (clients int, used float64) {
	most := int64(0)
	for i := range k.shards {
		s := &k.shards[i]
		s.mu.Lock()
		for _, at := range s.slots {
			if at.full > now {
				clients++
				most = max(most, at.full-now)
			}
		}
		s.mu.Unlock()
	}
	window := q.window()
	return clients, float64(min(most, window)) / float64(window)
}

// Nearest returns how many addresses hold any, and the most that one holds. It
// looks at all of them.
func (c *Counts) Nearest() (addresses, most int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		addresses += len(s.held)
		for _, n := range s.held {
			most = max(most, n)
		}
		s.mu.Unlock()
	}
	return addresses, most
}
