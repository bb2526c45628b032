// Package house holds the laws of this repository as tests, and nothing else.
//
// The laws that need words (which package stands on which floor, which arrow
// is forbidden and why, where waiting may sleep) are read from laws.txt. Which
// third-party module belongs to which room is read from docs/dependencies.md.
// The rest is judged by reading the source: no init, no mutable package
// variables, package docs, documented exported names, names that say
// something, files and functions of a size that can be read.
//
// Each archive below testdata is a small repository that breaks one law and
// says which words it is answered with.
package house
