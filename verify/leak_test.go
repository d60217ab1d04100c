package verify_test

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bearerkit/bearer/verify"
)

// ownWords is this package's source, in which all its texts are.
var ownWords = sync.OnceValue(func() string {
	var all strings.Builder
	for _, name := range must(filepath.Glob("*.go")) {
		if !strings.HasSuffix(name, "_test.go") {
			all.Write(must(os.ReadFile(name)))
		}
	}
	return all.String()
})

// wantRefusal checks that a token's error is of one of these kinds, is an *Error, and
// quotes nothing of the token, be it in base64 or not.
func wantRefusal(t *testing.T, err error, token string, kinds ...error) {
	t.Helper()
	own, ok := errors.AsType[*verify.Error](err)
	if !ok {
		t.Fatalf("got the error %v, want a *verify.Error of %v", err, kinds)
	}
	is := false
	for _, kind := range kinds {
		is = is || errors.Is(err, kind)
	}
	if !is {
		t.Errorf("got the error %q, which is %q, want %v", err, own.Kind, kinds)
	}
	for _, part := range strings.SplitN(token, ".", 6) {
		clear, _ := base64.RawURLEncoding.DecodeString(part)
		for _, text := range []string{err.Error(), own.Description(), own.LogValue().String()} {
			for _, window := range foreignWindows(text) {
				if strings.Contains(part, window) || strings.Contains(string(clear), window) {
					t.Errorf("the error %q has %q of the token", text, window)
				}
			}
		}
	}
}

var known sync.Map // of texts, their foreign windows

// foreignWindows are the parts of a text, of eight bytes, that are none of our own words.
func foreignWindows(text string) (windows []string) {
	if found, ok := known.Load(text); ok {
		return found.([]string)
	}
	for i := range max(len(text)-7, 0) {
		if w := text[i : i+8]; !strings.Contains(ownWords(), w) {
			windows = append(windows, w)
		}
	}
	known.Store(text, windows)
	return windows
}
