package bearer_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	readmeBlock = regexp.MustCompile("(?m)^(?:<!-- (.+) -->\n)?```go\n((?s:.*?))^```$")
	exampleBody = regexp.MustCompile(`(?ms)^func (\w+)\([^)]*\)[^{\n]* \{\n(.*?)^\}$`)
)

// Each piece of Go in the README says where it comes from, and is that: a whole
// file, or consecutive lines of an example.
func TestReadmeIsTheExamples(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := readmeBlock.FindAllStringSubmatch(string(readme), -1)
	if len(blocks) < 4 {
		t.Errorf("found %d blocks of Go in the README, want at least 4", len(blocks))
	}
	for _, block := range blocks {
		from, code := block[1], block[2]
		if from == "" || strings.TrimSpace(code) == "" {
			t.Errorf("this block is empty, or does not say where it comes from:\n%s", code)
			continue
		}
		file, example, _ := strings.Cut(from, " ")
		source, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if example == "" {
			if string(source) != code {
				t.Errorf("the README's %s is not the file", file)
			}
			continue
		}
		found := false
		for _, f := range exampleBody.FindAllStringSubmatch(string(source), -1) {
			if f[1] == example {
				found = true
				if !strings.Contains(strings.ReplaceAll("\n"+f[2], "\n\t", "\n"), "\n"+code) {
					t.Errorf("the README's %s is not in the example:\n%s", from, code)
				}
			}
		}
		if !found {
			t.Errorf("there is no %s", from)
		}
	}
}
