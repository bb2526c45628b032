package tenancy

import "fmt"

// didYouMean returns a hint that names the candidate nearest to word, or "".
func didYouMean(word string, candidates []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if d := editDistance(word, c); d < least {
			best, least = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// suggestBytesMax bounds the words that are compared: comparing costs the
// product of their lengths, and what is named here is shorter.
const suggestBytesMax = 64

// editDistance counts the letters to insert, delete or replace (Levenshtein).
func editDistance(a, b string) int {
	if len(a) > suggestBytesMax || len(b) > suggestBytesMax {
		return suggestBytesMax
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
