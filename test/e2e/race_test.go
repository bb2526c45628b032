//go:build race

package e2e

// underRace: the binary is built with the race detector when the tests are.
const underRace = true
