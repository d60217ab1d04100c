package bearer

import (
	"net/http"
	"time"
)

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

// NewResponse returns what Middleware hands to a handler in place of w, and what
// it calls when the handler is done.
func NewResponse(w http.ResponseWriter, begin func(http.ResponseWriter)) (rw http.ResponseWriter, finish func()) {
	r := &response{ResponseWriter: w, owner: beginFunc(begin)}
	return r.writer(), r.finish
}

type beginFunc func(http.ResponseWriter)

func (f beginFunc) begin(w http.ResponseWriter) { f(w) }

// Remembered counts the customers that f knows, and those it holds on to.
func Remembered(f *Storefront) (live, pinned int) {
	f.live.Range(func(any, any) bool { live++; return true })
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unsaved.mu.Lock()
	defer f.unsaved.mu.Unlock()
	return live, len(f.pinned) + len(f.unsaved.all)
}

// BoundUnsaved changes how many customers may wait for f's storage.
func BoundUnsaved(f *Storefront, n int) { f.unsaved.max = n }

// NewRecord returns a customer's record as it is kept.
func NewRecord(f *Storefront, t *Token, now time.Time) ([]byte, error) {
	r, err := f.newRecord(new(*t), now)
	return r.raw, err
}

// ReadRecord returns what a record says.
func ReadRecord(f *Storefront, raw []byte) (t *Token, issued time.Time, scope string, s State, err error) {
	r, err := f.readRecord(raw)
	return r.token, r.issued, r.scope, r.state, err
}

// PinCustomer has f hold on to a customer who can be found.
func PinCustomer(f *Storefront) {
	r := record{raw: []byte("x"), state: StateCustomer, token: &Token{AccessToken: "x", Expiry: time.Now().Add(time.Hour)}}
	f.pin(f.customer("key", stored{f.opts.Customers, "key"}, r), time.Now().Add(time.Hour))
}

// PinStrangers has f hold on to n customers, and returns how many it does.
func PinStrangers(f *Storefront, n int) int {
	for range n {
		r := record{raw: []byte("x"), state: StateCustomer, token: &Token{AccessToken: "x", Expiry: time.Now().Add(time.Hour)}}
		f.pin(newCustomer(f, "key", stored{f.opts.Customers, "key"}, r), time.Now().Add(time.Hour))
	}
	_, pinned := Remembered(f)
	return pinned
}

// Doors counts the Verifiers that f tells of tokens which it takes back.
func Doors(f *Storefront) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.doors)
}
