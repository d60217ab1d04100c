package bearer_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	docBlock    = regexp.MustCompile("(?m)^(?:<!-- (.+) -->\n)?```go\n((?s:.*?))^```$")
	exampleBody = regexp.MustCompile(`(?ms)^func (\w+)\([^)]*\)[^{\n]* \{\n(.*?)^\}$`)
)

// Each piece of Go in the README, and in the page about sessions, says where it comes
// from, and is that: a whole file, or consecutive lines of an example or of a function.
func TestReadmeIsTheExamples(t *testing.T) {
	for page, least := range map[string]int{"README.md": 4, "docs/sessions.md": 4} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		blocks := docBlock.FindAllStringSubmatch(string(text), -1)
		if len(blocks) < least {
			t.Errorf("found %d blocks of Go in %s, want at least %d", len(blocks), page, least)
		}
		for _, block := range blocks {
			wantFrom(t, page, block[1], block[2])
		}
	}
}

// wantFrom wants the code of a page to be what is there.
func wantFrom(t *testing.T, page, from, code string) {
	t.Helper()
	if from == "" || strings.TrimSpace(code) == "" {
		t.Errorf("%s: this block is empty, or does not say where it comes from:\n%s", page, code)
		return
	}
	file, example, _ := strings.Cut(from, " ")
	source, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
		return
	}
	if example == "" {
		if string(source) != code {
			t.Errorf("%s: %s is not the file", page, file)
		}
		return
	}
	found := false
	for _, f := range exampleBody.FindAllStringSubmatch(string(source), -1) {
		if f[1] == example {
			found = true
			if code != f[0]+"\n" && !strings.Contains(strings.ReplaceAll("\n"+f[2], "\n\t", "\n"), "\n"+code) {
				t.Errorf("%s: %s is not in the example:\n%s", page, from, code)
			}
		}
	}
	if !found {
		t.Errorf("%s: there is no %s", page, from)
	}
}
