package storagetest_test

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/storagetest"
)

// signed is a carrier that keeps to all rules but one.
type signed struct {
	key   []byte
	fault string

	mu   sync.Mutex // guards last
	last []byte
}

func newSigned(fault string) *signed {
	s := &signed{fault: fault, key: make([]byte, 32)}
	if fault != "takes another's" {
		rand.Read(s.key)
	}
	return s
}

func (s *signed) name(key string) string {
	switch s.fault {
	case "key ignored":
		key = ""
	case "key folded":
		key = strings.ToLower(key)
	case "key trimmed":
		key = strings.TrimSpace(key)
	case "key raw":
		return key
	}
	return "cl_" + base64.RawURLEncoding.EncodeToString([]byte(key))
}

func (s *signed) mac(key string, nonce, record []byte) []byte {
	if s.fault == "not bound to the key" {
		key = ""
	}
	h := hmac.New(sha256.New, s.key)
	fmt.Fprintf(h, "%q", key)
	h.Write(nonce)
	h.Write(record)
	return h.Sum(nil)
}

func (s *signed) Load(r *http.Request, key string) ([]byte, error) {
	var value string
	found := 0
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			if n, v, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && n == s.name(key) {
				value, found = v, found+1
			}
		}
	}
	if s.fault == "request changed" {
		r.Header.Del("Cookie")
	}
	switch {
	case found == 0 && s.fault == "error without a cookie":
		return nil, errors.New("no cookie")
	case found == 0 && s.fault == "kept here":
		s.mu.Lock()
		defer s.mu.Unlock()
		return bytes.Clone(s.last), nil
	case found == 0 || s.fault == "nothing loaded":
		return nil, nil
	case found > 1 && s.fault != "the last of two":
		return nil, errors.New("the cookie is there twice")
	case len(value) > 8<<10 && s.fault != "no bound":
		return nil, errors.New("the cookie is too long")
	}
	if s.fault == "readable" {
		raw, plain, _ := strings.Cut(value, ".")
		sum, err := base64.RawURLEncoding.Strict().DecodeString(raw)
		record := []byte(strings.NewReplacer("!", `"`, "|", ",").Replace(plain))
		if err != nil || !hmac.Equal(sum, s.mac(key, nil, record)) {
			return nil, errors.New("forged")
		}
		return record, nil
	}
	encoding := base64.RawURLEncoding.Strict()
	if s.fault == "lenient base64" {
		encoding = base64.RawURLEncoding
	}
	b, err := encoding.DecodeString(value)
	if s.fault != "panics" {
		if err != nil || len(b) < 48 || encoding.EncodedLen(len(b)) != len(value) {
			return nil, errors.New("not a record")
		}
	}
	nonce, sum, record := b[:16], b[16:48], b[48:]
	switch {
	case s.fault == "not signed" || s.fault == "no bound":
	case !hmac.Equal(sum, s.mac(key, nonce, record)):
		if s.fault == "quotes" {
			return nil, fmt.Errorf("forged: %s", record)
		}
		if s.fault == "record and error" {
			return record, errors.New("forged")
		}
		return nil, errors.New("forged")
	}
	if s.fault == "memory shared" {
		s.mu.Lock()
		defer s.mu.Unlock()
		if bytes.HasPrefix(s.last, []byte("x")) || bytes.Equal(s.last, record) {
			return s.last, nil
		}
		s.last = record
		return s.last, nil
	}
	return record, nil
}

func (s *signed) Save(w http.ResponseWriter, key string, record []byte, maxAge time.Duration) error {
	s.mu.Lock()
	s.last = bytes.Clone(record)
	s.mu.Unlock()
	if maxAge < 0 && s.fault != "negative" {
		return errors.New("maxAge is negative")
	}
	c := &http.Cookie{Name: s.name(key), Path: "/", Secure: true, HttpOnly: true}
	if record == nil {
		if s.fault == "not removed" {
			maxAge = time.Hour
		} else {
			maxAge = -1
		}
	} else {
		nonce := make([]byte, 16)
		if s.fault != "always the same" {
			rand.Read(nonce)
		}
		b := append(nonce, s.mac(key, nonce, record)...)
		c.Value = base64.RawURLEncoding.EncodeToString(append(b, record...))
		if s.fault == "readable" {
			c.Value = base64.RawURLEncoding.EncodeToString(s.mac(key, nil, record)) + "." + strings.NewReplacer(`"`, "!", ",", "|").Replace(string(record))
		}
	}
	switch {
	case maxAge > 0 && s.fault != "no Max-Age":
		c.MaxAge = int((maxAge + time.Second - 1) / time.Second)
		if s.fault == "rounded down" {
			c.MaxAge = int(maxAge / time.Second)
		}
	case maxAge < 0:
		c.MaxAge = -1
	case s.fault == "always Max-Age":
		c.MaxAge = 3600
	case s.fault == "always Expires":
		c.Expires = time.Now().Add(time.Hour)
	}
	switch s.fault {
	case "body written":
		w.Write([]byte("saved"))
	case "status written":
		w.WriteHeader(200)
	case "fields dropped":
		w.Header().Del("Vary")
	case "cookies dropped":
		w.Header().Del("Set-Cookie")
	case "not secure":
		c.Secure = false
	case "Path":
		c.Path = "/cart"
	case "Domain":
		c.Domain = "shop.example"
	case "record changed":
		clear(record)
	case "set, then refused":
		http.SetCookie(w, c)
	}
	limit := map[string]int{"no limit": 1 << 30, "limit of 6000": 6000, "": 4096}
	if len(c.String()) > cmp.Or(limit[s.fault], limit[""]) {
		return errors.New("the cookie is too long")
	}
	line := c.String()
	if s.fault == "key raw" {
		line = c.Name + "=" + c.Value + "; Path=/; Secure"
	}
	w.Header().Add("Set-Cookie", line)
	return nil
}

func TestRunCarrier(t *testing.T) {
	open := func(*testing.T) bearer.Carrier { return newSigned("") }
	storagetest.RunCarrier(t, open)
	storagetest.RunForgery(t, open)
}

// faultVariable tells a copy of this test program to fail.
const faultVariable = "STORAGETEST_CARRIER_FAULTS"

// carrierFaults are what a carrier can do wrong, and which subtest has to notice.
var carrierFaults = []struct{ fault, where string }{
	{"error without a cookie", "a new browser carries nothing"},
	{"nothing loaded", "what is saved is loaded, the same bytes"},
	{"readable", "a record cannot be read"},
	{"record changed", "what is saved is loaded, the same bytes"},
	{"kept here", "a browser carries what it was given only"},
	{"key ignored", "each key has its own record, whatever is in it"},
	{"key folded", "each key has its own record, whatever is in it"},
	{"key trimmed", "each key has its own record, whatever is in it"},
	{"key raw", "each key has its own record, whatever is in it"},
	{"not removed", "a nil record removes that of its key alone"},
	{"no Max-Age", "maxAge is kept, and 0 is as long as the browser runs"},
	{"always Max-Age", "maxAge is kept, and 0 is as long as the browser runs"},
	{"always Expires", "maxAge is kept, and 0 is as long as the browser runs"},
	{"rounded down", "maxAge is kept, and 0 is as long as the browser runs"},
	{"negative", "a negative maxAge is an error that sets nothing"},
	{"no limit", "what no browser would keep is an error that sets nothing"},
	{"limit of 6000", "what no browser would keep is an error that sets nothing"},
	{"set, then refused", "what no browser would keep is an error that sets nothing"},
	{"body written", "Save sets cookies, and leaves other header fields"},
	{"status written", "Save sets cookies, and leaves other header fields"},
	{"fields dropped", "Save sets cookies, and leaves other header fields"},
	{"cookies dropped", "Save sets cookies, and leaves other header fields"},
	{"not secure", "the cookie is for https, and for the whole of one host"},
	{"Path", "the cookie is for https, and for the whole of one host"},
	{"Domain", "the cookie is for https, and for the whole of one host"},
	{"request changed", "Load leaves the request as it is"},
	{"memory shared", "what is loaded is the caller's"},
	{"the last of two", "a record that is there twice is an error"},
	{"not signed", "a record that was cut off is none"},
	{"no bound", "what a visitor sends is a record, none or an error"},
	{"quotes", "any change is noticed"},
	{"record and error", "any change is noticed"},
	{"lenient base64", "any change is noticed"},
	{"not bound to the key", "a record is good for its key alone"},
	{"takes another's", "a record of another carrier is none"},
	{"always the same", "no two cookies are the same"},
}

func TestFaultyCarrier(t *testing.T) {
	switch os.Getenv(faultVariable) {
	case "":
		t.Skip("run by TestRunCarrierNotices")
	case "panic":
		storagetest.RunCarrier(t, func(*testing.T) bearer.Carrier { return newSigned("panics") })
	}
	for _, tt := range carrierFaults {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			open := func(*testing.T) bearer.Carrier { return newSigned(tt.fault) }
			storagetest.RunCarrier(t, open)
			storagetest.RunForgery(t, open)
		})
	}
}

// runFaulty returns what TestFaultyCarrier writes in a process of its own.
func runFaulty(t *testing.T, which string) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestFaultyCarrier$")
	cmd.Env = append(os.Environ(), faultVariable+"="+which)
	out, err := cmd.CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); !failed {
		t.Fatalf("the suite ended with %v, want it to fail; it wrote:\n%s", err, out)
	}
	return string(out)
}

func TestRunCarrierNotices(t *testing.T) {
	out := runFaulty(t, "all")
	defer func() {
		if t.Failed() {
			t.Logf("the suite wrote:\n%s", out)
		}
	}()
	for _, tt := range carrierFaults {
		name := strings.ReplaceAll("TestFaultyCarrier/"+tt.fault+"/"+tt.where, " ", "_")
		if !strings.Contains(out, "--- FAIL: "+name+" (") {
			t.Errorf("%s has not failed", name)
		}
	}
}

func TestRunCarrierLetsPanicsThrough(t *testing.T) {
	if out := runFaulty(t, "panic"); !strings.Contains(out, "panic: ") {
		t.Errorf("the suite wrote no panic, but:\n%s", out)
	}
}
