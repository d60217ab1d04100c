package bearer

// ParseChallenges returns the schemes and parameters for the fuzz target.
func ParseChallenges(values []string) (schemes []string, params []map[string]string) {
	for _, c := range parseChallenges(values) {
		schemes = append(schemes, c.scheme)
		params = append(params, c.params)
	}
	return schemes, params
}

// ReasonInJSON is the reader of answers' bodies, for the fuzz target.
func ReasonInJSON(data []byte) int { return int(reasonInJSON(data)) }

// Describe is the one place where errors become text.
var Describe = describe
