package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/endpoint"
	"github.com/bearerkit/bearer/internal/observers"
)

const (
	// fetchInterval is the least time between two requests for one key set: however
	// many tokens name keys that nobody knows, so many requests they can cause.
	fetchInterval = 10 * time.Second

	// fetchTimeout limits one, with its redirects and its body.
	fetchTimeout = 10 * time.Second

	// The first request of all, if it fails, is repeated sooner: once.
	firstRetry = time.Second

	// One that cannot be renewed serves on, and is asked for less and less.
	maxRetry = time.Minute

	// maxWaiting is how many wait for one request because of keys that nobody knows,
	// while others are known. Whoever forges tokens makes these. For the first keys of all
	// more do, since nobody can be told yet.
	maxWaiting, maxFirst = 1000, 10_000

	// never is when to renew one that stays as it is, or is being renewed.
	never = math.MaxInt64

	maxKeySet    = 1 << 20
	maxRedirects = 3
)

// How long a key set is good for, whatever its Cache-Control says.
const (
	defaultAge = time.Hour
	minAge     = 5 * time.Minute
	maxAge     = 24 * time.Hour
)

// keySet is an issuer's. It is asked for when a token needs it.
type keySet struct {
	issuer     string
	algorithms []string
	url        *url.URL // nil: it stays as it is
	client     *http.Client
	tell       bearer.Observer

	born    time.Time // what times count from, by the monotonic clock
	current atomic.Pointer[keys]
	due     atomic.Int64 // when to renew it, since born

	mu       sync.Mutex    // guards what follows
	flight   *flight       // the request under way
	earliest time.Duration // no other one before, since born
	failures int           // in a row
	failed   error         // what came of the last one
}

// keySetError says what is wrong with a key set, and shows in logs.
type keySetError string

func (e keySetError) Error() string { return "verify: " + string(e) }

// LogValue is the text, as of an error that holds no secret.
func (e keySetError) LogValue() slog.Value { return slog.StringValue(string(e)) }

// endedError is that the waiter's context has ended.
type endedError struct{ err error }

func (e *endedError) Error() string {
	return "verify: the request ended before the issuer's keys came: " + e.err.Error()
}
func (e *endedError) Unwrap() error { return e.err }

// flight is one request.
type flight struct {
	waiting atomic.Int64  // how many do
	done    chan struct{} // closed when it has ended
	err     error         // to be read then
}

// answer is what comes of a request.
type answer struct {
	keys *keys
	age  time.Duration // how long they are good for
	err  error
}

const (
	errSlow    = keySetError("the key set has not come in time, which is 10 s at most")
	errGoexit  = keySetError("the Base of the key set has ended its goroutine")
	errCrowded = keySetError("too many tokens wait for the issuer's key set")
	errOrigin  = keySetError("the key set redirects to another origin: configure that one, if it is right")
	errLoop    = keySetError("the key set redirects again and again: check the issuer's KeySetURL")
	errLarge   = keySetError("the key set is over 1 MiB: check the issuer's KeySetURL")
	errRemote  = keySetError("the key set's host is not on this machine: use https")
)

func newKeySet(i *Issuer, o *Options) (*keySet, error) {
	s := &keySet{issuer: i.Name, algorithms: i.Algorithms, born: time.Now(), tell: observers.Join(o.Logger, o.Observer)}
	if i.KeySet != nil {
		fixed, err := parseKeys(i.KeySet, i.Algorithms)
		if err != nil {
			return nil, fmt.Errorf("verify: the KeySet of issuer %q is of no use: %s", i.Name, strings.TrimPrefix(err.Error(), "verify: "))
		}
		s.current.Store(fixed)
		s.due.Store(never)
		return s, nil
	}
	u, err := endpoint.Parse(i.KeySetURL)
	if err != nil {
		return nil, fmt.Errorf("verify: the KeySetURL of issuer %q %w", i.Name, err)
	}
	s.url = u
	s.client = &http.Client{Transport: o.Base, CheckRedirect: s.follow}
	return s, nil
}

// follow keeps to the origin: another one has not been configured.
func (s *keySet) follow(r *http.Request, via []*http.Request) error {
	if r.URL.Scheme != s.url.Scheme || !strings.EqualFold(r.URL.Host, s.url.Host) || r.URL.User != nil {
		return errOrigin
	}
	if len(via) > maxRedirects {
		return errLoop
	}
	return nil
}

// get returns the keys that a token may be signed by.
func (s *keySet) get(ctx context.Context, id, alg string) ([]*key, error) {
	if found := s.known(id, alg); found != nil {
		s.renew()
		return found, nil
	}
	if s.url == nil {
		return nil, refuse(ErrUnknownKey, "")
	}
	return s.await(ctx, id, alg)
}

// await is for those who have not found their key: it may be in the next key set, or in
// one that has come since they looked, if it is too early for the next.
func (s *keySet) await(ctx context.Context, id, alg string) ([]*key, error) {
	f, err := s.fly()
	if err != nil {
		if found := s.known(id, alg); found != nil {
			return found, nil
		}
		return nil, err
	}
	defer f.waiting.Add(-1)
	most := int64(maxWaiting)
	if s.current.Load() == nil {
		most = maxFirst
	}
	if f.waiting.Add(1) > most {
		return nil, &bearer.UnavailableError{NextTry: s.at(time.Since(s.born) + firstRetry), Err: errCrowded}
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, &endedError{ctx.Err()}
	}
	switch found := s.known(id, alg); {
	case found != nil:
		return found, nil
	case f.err != nil:
		return nil, s.unavailable(f.err)
	}
	return nil, refuse(ErrUnknownKey, "")
}

func (s *keySet) known(id, alg string) []*key {
	if now := s.current.Load(); now != nil {
		return now.find(id, alg)
	}
	return nil
}

// renew asks for the key set in the background if it is old. It costs an atomic load
// if it is not.
func (s *keySet) renew() {
	if int64(time.Since(s.born)) >= s.due.Load() {
		s.fly()
	}
}

// fly returns the request under way, or starts one, if it is not too early: then it
// says what follows from the last one.
func (s *keySet) fly() (*flight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight != nil {
		return s.flight, nil
	}
	now := time.Since(s.born)
	switch {
	case now < s.earliest && s.failed != nil:
		return nil, &bearer.UnavailableError{NextTry: s.at(s.earliest), Err: s.failed}
	case now < s.earliest:
		return nil, refuse(ErrUnknownKey, "")
	}
	s.flight = &flight{done: make(chan struct{})}
	s.due.Store(never) // landed says when
	go s.fetch(s.flight, now)
	return s.flight, nil
}

func (s *keySet) unavailable(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &bearer.UnavailableError{NextTry: s.at(s.earliest), Err: err}
}

// at is a time by the wall clock, which may have been set since s was born.
func (s *keySet) at(d time.Duration) time.Time {
	return time.Now().Add(d - time.Since(s.born)).Round(0)
}

// fetch does what a flight is for. The Base is the application's: a panic in it, or a
// runtime.Goexit, becomes an error, and one that does not heed the time limit keeps
// nobody waiting. What it comes up with later is not looked at.
func (s *keySet) fetch(f *flight, began time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	done := make(chan answer, 1)
	go func() {
		a := answer{err: errGoexit}
		defer func() {
			if p := recover(); p != nil {
				a = answer{err: keySetError(fmt.Sprintf("the Base of the key set has panicked with a value of type %T", p))}
			}
			done <- a
		}()
		a = s.request(ctx)
	}()
	var a answer
	select {
	case a = <-done:
	case <-ctx.Done():
		a.err = ctx.Err()
	}
	if a.err != nil && ctx.Err() != nil || errors.Is(a.err, context.DeadlineExceeded) || errors.Is(a.err, context.Canceled) {
		a.err = errSlow // which is not taken for the end of a waiter's context
	}
	s.landed(f, began, a)
}

// landed takes in what has come of a flight.
func (s *keySet) landed(f *flight, began time.Duration, a answer) {
	now := time.Since(s.born)
	before := s.current.Load()
	changed := false
	s.mu.Lock()
	s.failed = a.err
	if a.err == nil {
		s.failures = 0
		s.earliest = began + fetchInterval
		changed = a.keys.succeed(before)
		s.current.Store(a.keys)
		s.due.Store(int64(now + a.age - jitter(a.age)))
	} else {
		first := fetchInterval
		if before == nil && s.failures == 0 {
			first = firstRetry
		}
		pause := min(first<<min(s.failures, 10), maxRetry)
		s.failures++
		s.earliest = max(began+min(pause, fetchInterval), now+firstRetry)
		s.due.Store(int64(max(began+pause-jitter(pause), s.earliest)))
	}
	next := s.at(s.earliest)
	s.flight = nil
	s.mu.Unlock()
	f.err = a.err
	close(f.done)
	took := now - began
	if a.err != nil {
		s.tell(context.Background(), KeysFailed{Issuer: s.issuer, Took: took, Err: a.err, NextTry: next, Serving: before != nil})
		return
	}
	s.tell(context.Background(), KeysFetched{Issuer: s.issuer, Took: took, KeyIDs: a.keys.ids(), Changed: changed})
}

// jitter is up to a tenth, so that a fleet does not ask in step.
func jitter(d time.Duration) time.Duration { return rand.N(d/10 + 1) }

// request gets the key set, and how long it is good for.
func (s *keySet) request(ctx context.Context) (a answer) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String(), nil)
	if err != nil {
		return answer{err: err}
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := s.client.Do(r)
	switch {
	case errors.Is(err, endpoint.ErrNotLoopback):
		return answer{err: errRemote}
	case err != nil:
		return answer{err: err}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return answer{err: keySetError(fmt.Sprintf("the key set is answered with status %d: check the issuer's KeySetURL", resp.StatusCode))}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
	switch {
	case err != nil:
		return answer{err: err}
	case len(body) > maxKeySet:
		return answer{err: errLarge}
	}
	a.keys, a.err = parseKeys(body, s.algorithms)
	a.age = ageOf(resp.Header)
	return a
}

// ageOf is how long an answer may be kept (RFC 9111 §5.2.2.1), within bounds. A time too
// long to be read is the longest (§1.2.2), and one that is none is the least (§4.2.1).
func ageOf(h http.Header) time.Duration {
	age, told := defaultAge, false
	for _, line := range h.Values("Cache-Control") {
		for part := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			switch strings.ToLower(name) {
			case "max-age":
				if !told {
					age, told = seconds(strings.Trim(value, `"`)), true
				}
			case "no-store", "no-cache":
				return minAge
			}
		}
	}
	if told {
		age -= seconds(h.Get("Age"))
	}
	return min(max(age, minAge), maxAge)
}

// seconds reads the delta-seconds of RFC 9111 §1.2.2; 0 if it is none.
func seconds(text string) time.Duration {
	n, _ := strconv.ParseUint(text, 10, 31) // the most that there is, if it is more
	return time.Duration(n) * time.Second
}
