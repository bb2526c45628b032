//go:build race

package proxy

// allocsMax: the race detector makes sync.Pool drop a part of what it is given,
// so that buffers are made anew now and then.
const allocsMax = 24
