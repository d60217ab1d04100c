package sealed_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/bearerkit/bearer/sealed"
)

func mustKeys(t testing.TB, keys ...[]byte) *sealed.Keys {
	t.Helper()
	k, err := sealed.NewKeys(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func keyOf(b byte) []byte { return bytes.Repeat([]byte{b}, sealed.KeySize) }

func TestNewKeysRefuses(t *testing.T) {
	tests := []struct {
		name string
		keys [][]byte
		want string
	}{
		{"none", nil, "there is no key"},
		{"nil", [][]byte{nil}, "key 1 of 1 has 0 bytes, want 32"},
		{"short", [][]byte{keyOf('a'), keyOf('b')[:31]}, "key 2 of 2 has 31 bytes, want 32"},
		{"long", [][]byte{append(keyOf('a'), 'a'), keyOf('b')}, "key 1 of 2 has 33 bytes, want 32"},
		{"zero", [][]byte{keyOf('a'), keyOf(0)}, "key 2 of 2 is all zeros"},
		{"same", [][]byte{keyOf('a'), keyOf('b'), keyOf('b')}, "keys 2 and 3 of 3 are the same"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, err := sealed.NewKeys(tt.keys...)
			if k != nil || err == nil {
				t.Fatalf("NewKeys = %v, %v, want an error", k, err)
			}
			if !strings.HasPrefix(err.Error(), "sealed: "+tt.want) || strings.Contains(err.Error(), "aaa") {
				t.Errorf("error = %v, want %q and no key", err, tt.want)
			}
		})
	}
}

func TestSealOpen(t *testing.T) {
	k := mustKeys(t, sealed.GenerateKey())
	for _, plain := range []string{"", "a", strings.Repeat("token", 1000), "\x00\xff"} {
		box := k.Seal("name", []byte(plain))
		if got, err := k.Open("name", box); err != nil || got == nil || string(got) != plain {
			t.Errorf("Open = %q, %v, want %q", got, err, plain)
		}
		if got, want := len(box), len(plain)+28; got != want {
			t.Errorf("%d bytes sealed, want %d", got, want)
		}
		if bytes.Equal(box, k.Seal("name", []byte(plain))) {
			t.Error("sealed twice, and the same comes out")
		}
		for _, name := range []string{"", "nam", "namex", "Name", "name\x00"} {
			if got, err := k.Open(name, box); got != nil || !errors.Is(err, sealed.ErrInvalid) {
				t.Errorf("Open under %q = %d bytes, %v, want ErrInvalid", name, len(got), err)
			}
		}
		for i := range box {
			box[i] ^= 1
			if got, err := k.Open("name", box); got != nil || !errors.Is(err, sealed.ErrInvalid) {
				t.Errorf("Open with byte %d changed = %d bytes, %v, want ErrInvalid", i, len(got), err)
			}
			box[i] ^= 1
			if got, err := k.Open("name", box[:i]); got != nil || !errors.Is(err, sealed.ErrInvalid) {
				t.Errorf("Open of the first %d bytes = %d bytes, %v, want ErrInvalid", i, len(got), err)
			}
		}
	}
}

func TestKeysChange(t *testing.T) {
	old, next := sealed.GenerateKey(), sealed.GenerateKey()
	stages := []*sealed.Keys{mustKeys(t, old), mustKeys(t, old, next), mustKeys(t, next, old), mustKeys(t, next)}
	opens := [][]bool{ // by who has sealed
		{true, true, true, false},
		{true, true, true, false},
		{false, true, true, true},
		{false, true, true, true},
	}
	for i, sealing := range stages {
		box := sealing.Seal("n", []byte("plain"))
		for j, opening := range stages {
			got, err := opening.Open("n", box)
			if (err == nil) != opens[i][j] || err == nil && string(got) != "plain" {
				t.Errorf("stage %d opens what stage %d has sealed: %q, %v, want %v", j, i, got, err, opens[i][j])
			}
		}
	}
}

// The ring must not change with the slices that it was made of.
func TestNewKeysKeepsNoKey(t *testing.T) {
	key := sealed.GenerateKey()
	k := mustKeys(t, key)
	box := k.Seal("n", []byte("plain"))
	again := mustKeys(t, bytes.Clone(key))
	clear(key)
	if _, err := again.Open("n", box); err != nil {
		t.Errorf("Open = %v", err)
	}
	if _, err := again.Open("n", k.Seal("n", []byte("plain"))); err != nil {
		t.Errorf("Open of what was sealed after the slice was cleared = %v", err)
	}
}

func TestZeroKeys(t *testing.T) {
	box := mustKeys(t, sealed.GenerateKey()).Seal("n", nil)
	for name, k := range map[string]*sealed.Keys{"zero": {}, "nil": nil} {
		if got, err := k.Open("n", box); got != nil || !errors.Is(err, sealed.ErrInvalid) {
			t.Errorf("%s: Open = %q, %v, want ErrInvalid", name, got, err)
		}
		for what, f := range map[string]func(){
			"Seal":      func() { k.Seal("n", nil) },
			"NewCookie": func() { sealed.NewCookie(k, nil) },
		} {
			func() {
				defer func() {
					if text, _ := recover().(string); !strings.Contains(text, "NewKeys") {
						t.Errorf("%s: %s panics with %q, want the way out", name, what, text)
					}
				}()
				f()
			}()
		}
	}
}

func TestGenerateKey(t *testing.T) {
	a, b := sealed.GenerateKey(), sealed.GenerateKey()
	if len(a) != sealed.KeySize || bytes.Equal(a, b) || bytes.Equal(a, make([]byte, len(a))) {
		t.Errorf("GenerateKey = %d bytes, equal %v, want %d random ones", len(a), bytes.Equal(a, b), sealed.KeySize)
	}
}

// forms are the texts that stand for a key.
var forms = map[string]func([]byte) string{
	"base64":              base64.StdEncoding.EncodeToString,
	"base64 unpadded":     base64.RawStdEncoding.EncodeToString,
	"base64url":           base64.URLEncoding.EncodeToString,
	"base64url unpadded":  base64.RawURLEncoding.EncodeToString,
	"hex":                 hex.EncodeToString,
	"upper-case hex":      func(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) },
	"spaces and line end": func(b []byte) string { return " \t" + base64.StdEncoding.EncodeToString(b) + "\r\n" },
}

func TestParseKeys(t *testing.T) {
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			first, second := bytes.Repeat([]byte{0xfb, 0xff, 0x3e}, 11)[:32], sealed.GenerateKey()
			k, err := sealed.ParseKeys(form(first) + "," + form(second))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := mustKeys(t, first).Open("n", k.Seal("n", nil)); err != nil {
				t.Errorf("the first one does not seal: %v", err)
			}
			if _, err := k.Open("n", mustKeys(t, second).Seal("n", nil)); err != nil {
				t.Errorf("the second one does not open: %v", err)
			}
		})
	}
}

func TestParseKeysRefuses(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(keyOf('s'))
	tests := []struct{ name, text, want string }{
		{"empty", "", "there is no key"},
		{"space", " \n", "there is no key"},
		{"password", "s3cr3t", "key 1 of 1 is not 32 bytes"},
		{"32 characters", "s3cr3ts3cr3ts3cr3ts3cr3ts3cr3t12", "key 1 of 1 is not 32 bytes"},
		{"43 characters", "s3cr3t!" + strings.Repeat("x", 36), "key 1 of 1 is not 32 bytes"},
		{"31 bytes", base64.StdEncoding.EncodeToString(keyOf('s')[1:]), "key 1 of 1 is not 32 bytes"},
		{"33 bytes", base64.StdEncoding.EncodeToString(append(keyOf('s'), 's')), "key 1 of 1 is not 32 bytes"},
		{"loose bits", strings.Replace(good, "M=", "N=", 1), "key 1 of 1 is not 32 bytes"},
		{"line end within", good[:20] + "\n" + good[20:], "key 1 of 1 is not 32 bytes"},
		{"line end in place of the last one", good[:20] + "\n" + good[20:41] + "A", "key 1 of 1 has 31 bytes"},
		{"odd hex", strings.Repeat("0g", 32), "key 1 of 1 is not 32 bytes"},
		{"comma at the end", good + ",", "key 2 of 2 is not 32 bytes"},
		{"semicolon", good + ";" + good, "key 1 of 1 is not 32 bytes"},
		{"quoted", `"` + good + `"`, "key 1 of 1 is not 32 bytes"},
		{"same in another form", good + "," + hex.EncodeToString(keyOf('s')), "keys 1 and 2 of 2 are the same"},
		{"zeros", strings.Repeat("0", 64), "key 1 of 1 is all zeros"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, err := sealed.ParseKeys(tt.text)
			if k != nil || err == nil {
				t.Fatalf("ParseKeys = %v, %v, want an error", k, err)
			}
			if !strings.HasPrefix(err.Error(), "sealed: "+tt.want) || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), good[:8]) {
				t.Errorf("error = %v, want %q and no key", err, tt.want)
			}
		})
	}
}

func TestKeysPrintNoKey(t *testing.T) {
	key := []byte("s3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3")
	k := mustKeys(t, key)
	c := sealed.NewCookie(k, nil)
	for _, v := range []any{k, *k, c, *c, struct{ K sealed.Keys }{*k}, struct{ k *sealed.Keys }{k}, struct{ k sealed.Keys }{*k}} {
		var b strings.Builder
		fmt.Fprintf(&b, "%v %+v %#v %s %q %x %d ", v, v, v, v, v, v, v)
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
		j, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		b.Write(j)
		for _, secret := range []string{"s3cr3t", hex.EncodeToString(key[:6]), strings.Trim(fmt.Sprint(key[:6]), "[]"), fmt.Sprintf("%#v", key[:4])[len("[]byte{"):22]} {
			if strings.Contains(b.String(), secret) {
				t.Errorf("%T prints its key: %s", v, b.String())
			}
		}
	}
	if got, want := fmt.Sprintf("%+v %d %#v", k, *k, k), "sealed.Keys{1} sealed.Keys{1} sealed.Keys{1}"; got != want {
		t.Errorf("printed as %s, want %s", got, want)
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(strings.Repeat("ab", 32)), "", true)
	f.Add(make([]byte, 64), "s3cr3t,", false)
	f.Fuzz(func(t *testing.T, b []byte, text string, hexed bool) {
		if _, err := sealed.ParseKeys(text); err != nil && len(text) > 12 && strings.Contains(err.Error(), text) {
			t.Errorf("error = %v, which quotes the text", err)
		}
		form := base64.RawURLEncoding.EncodeToString
		if hexed {
			form = hex.EncodeToString
		}
		first, second := b[:len(b)/2], b[len(b)/2:]
		want, wantErr := sealed.NewKeys(first, second)
		got, err := sealed.ParseKeys(form(first) + "," + form(second))
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("ParseKeys = %v, NewKeys = %v, want the same", err, wantErr)
		}
		if err != nil {
			return
		}
		if _, err := want.Open("n", got.Seal("n", b)); err != nil {
			t.Errorf("ParseKeys and NewKeys make different rings: %v", err)
		}
	})
}
