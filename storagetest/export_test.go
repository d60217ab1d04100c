package storagetest

import (
	"testing"

	"github.com/bearerkit/bearer"
)

// Rules returns the names of all rules, each as "group/rule".
func Rules() []string {
	var names []string
	for _, g := range groups {
		for _, r := range g.rules {
			names = append(names, g.name+"/"+r.name)
		}
	}
	return names
}

// Check checks s by one rule, which reports to t.
func Check(t testing.TB, name string, s bearer.Storage) {
	for _, g := range groups {
		for _, r := range g.rules {
			if g.name+"/"+r.name == name {
				r.check(newSubject(t, s))
				return
			}
		}
	}
	t.Fatalf("there is no rule %q", name)
}
