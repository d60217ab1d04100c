package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/redis/rueidis"
)

// storeError is an error whose text is our own. What Redis says quotes keys, and
// sometimes values; what rueidis says of an address quotes the password.
type storeError struct {
	text string
	err  error // what it is besides, for errors.Is and errors.As
}

func (e *storeError) Error() string { return "redisstore: " + e.text }
func (e *storeError) Unwrap() error { return e.err }

// Format prints what Error returns, whatever the verb.
func (e *storeError) Format(f fmt.State, _ rune) { io.WriteString(f, e.Error()) }

// LogValue is what Error returns, but for the package's name: package bearer puts
// its own before it.
func (e *storeError) LogValue() slog.Value { return slog.StringValue(e.text) }

var (
	errNegativeTTL = &storeError{"the ttl is negative: it must be 0, for ever, or at least a millisecond", nil}
	errNoLease     = &storeError{"a lock needs a lease: pass a second or more", nil}
	errClosed      = &storeError{"the Store has been closed", nil}
	errAnswer      = &storeError{"Redis gave an answer that makes no sense: is it Redis, or a proxy that changes commands?", nil}
)

// explain says in a few words what went wrong. An error that says that a context
// has ended is not the caller's, unless ctx has: it must not be taken for it.
func (s *Store) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := err.(*storeError); ok {
		return err
	}
	if ended := ctx.Err(); ended != nil {
		return &storeError{s.place() + " had not answered when the caller's context ended", ended}
	}
	if code, ok := refusal(err); ok {
		return &storeError{s.place() + " refuses: " + meaning(code), err}
	}
	if errors.Is(err, rueidis.ErrNoCache) {
		return &storeError{s.place() + " cannot tell of changes: it is older than Redis 6, a proxy, or its user may not run CLIENT TRACKING; set Options.DisableCache", err}
	}
	if errors.Is(err, rueidis.ErrClosing) {
		return &storeError{s.place() + " cannot be reached, or the client has been closed", err}
	}
	if errors.Is(err, rueidis.ErrDoCacheAborted) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return &storeError{s.place() + " closed the connection", err}
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return &storeError{s.place() + " cannot be reached: " + errno.Error() + "; check that it runs, and the address", err}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &storeError{s.place() + " has a certificate that is not trusted", err}
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return &storeError{s.place() + " does not speak TLS: is it redis, not rediss?", err}
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return &storeError{s.place() + " cannot be reached: the host's name was not found", err}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return s.slow()
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return s.slow()
	}
	return &storeError{fmt.Sprintf("%s failed with an error of type %T, whose text may hold secrets and is not shown here (see its Unwrap)", s.place(), err), err}
}

// slow is the error for an answer that does not come. It is a timeout, but not
// that of the caller's context.
func (s *Store) slow() error {
	return &storeError{fmt.Sprintf("%s has not answered in time (Options.Timeout is %v)", s.place(), s.timeout), os.ErrDeadlineExceeded}
}

// broken reports whether err is about the way to Redis, and not Redis's answer.
func broken(err error) bool {
	if err == nil || rueidis.IsRedisNil(err) {
		return false
	}
	_, answered := refusal(err)
	return !answered
}

// refusal returns the code with which Redis's answer begins, if err is one.
func refusal(err error) (code string, ok bool) {
	e, ok := errors.AsType[*rueidis.RedisError](err)
	if !ok || e.IsNil() {
		return "", false
	}
	text := e.Error()
	code, _, _ = strings.Cut(text, " ")
	if strings.HasPrefix(text, "Error running script") {
		// Before version 7 the code comes later: "…: @user_script:9: -READONLY You…".
		for word := range strings.FieldsSeq(text) {
			if word = strings.TrimPrefix(word, "-"); meanings[word] != "" {
				return word, true
			}
		}
	}
	return code, true
}

// meanings are what the codes of refusals mean, and what to do.
var meanings = map[string]string{
	"CLUSTERDOWN": "its cluster is incomplete (CLUSTERDOWN); a failover may be under way",
	"LOADING":     "it is still loading its data (LOADING); try again soon",
	"MASTERDOWN":  "it is a replica that has lost its primary (MASTERDOWN); a failover may be under way",
	"MISCONF":     "it cannot save its data, and takes no writes until it can (MISCONF); see its log",
	"NOAUTH":      "it wants a password (NOAUTH)",
	"NOPERM":      "its user may not run a command, or use a key, that is needed (NOPERM); the package's documentation lists the commands",
	"NOREPLICAS":  "too few replicas are connected to it (NOREPLICAS)",
	"OOM":         "its memory is full (OOM); raise maxmemory, or set a maxmemory-policy",
	"READONLY":    "it is a replica, which takes no writes (READONLY); a failover may be under way",
	"WRONGPASS":   "the user name or the password is wrong (WRONGPASS)",
	"WRONGTYPE":   "under the key is something else than a string (WRONGTYPE): another program uses the same keys; set Options.Prefix",
}

func meaning(code string) string {
	if text := meanings[code]; text != "" {
		return text
	}
	if strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || code == "" || len(code) > 20 {
		code = "an error" // rueidis cuts the usual one, ERR, off
	}
	return "it answers " + code + ", in words that may quote keys and are not shown here (see the error's Unwrap)"
}
