package tokenendpoint

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/bearerkit/bearer/internal/endpoint"
	"github.com/bearerkit/bearer/internal/retryafter"
	"github.com/hashicorp/go-retryablehttp"
)

const (
	maxBody      = 1 << 20
	firstBackoff = 100 * time.Millisecond
	// maxWait is how long a call waits for a next attempt; beyond it the caller
	// gets the error and the time.
	maxWait = 2 * time.Second
)

// exchange is one call: the RoundTripper, the retry policy and the backoff that
// go-retryablehttp runs. One goroutine uses it, once. Each attempt is judged in
// RoundTrip, body and all, so that an unusable 200 can be retried like a 503;
// what net/http and go-retryablehttp say of it afterwards, which can quote
// addresses, is not looked at.
type exchange struct {
	options    *Options
	address    address
	action     string
	replayable bool
	limitKey   string
	secrets    secrets
	accept     func(body []byte, header http.Header, sent time.Time) (problem string) // reads a 2xx

	attempts int
	result   *Error // of the latest attempt, nil: it succeeded
	waiting  bool   // for the next attempt,
	wait     time.Duration
	pause    time.Time // and the end of the pause that the latest 429 opened
}

func (x *exchange) do(ctx context.Context, m message) *Error {
	if err := ctx.Err(); err != nil {
		return x.ended(ctx)
	}
	if until, ok := x.options.RateLimit.paused(x.key(), time.Now()); ok {
		return x.pausedUntil(until)
	}
	ctx, cancel := context.WithTimeout(ctx, x.options.Timeout)
	defer cancel()
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, x.address.url, m.body)
	if err != nil {
		return x.failure("the request could not be built", err)
	}
	req.Header = m.header
	client := &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     x,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax:     x.options.MaxRetries,
		CheckRetry:   x.checkRetry,
		Backoff:      func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return x.wait },
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	resp, err := client.Do(req)
	if resp != nil {
		resp.Body.Close()
	}
	switch {
	case x.attempts == 0:
		return x.failure("the request could not be sent", err)
	case x.waiting && x.result != nil:
		x.result.err = errors.Join(x.ended(ctx).err, x.result.err)
	}
	return x.result
}

func (x *exchange) key() limitKey { return limitKey{x.address.url, x.limitKey} }

// RoundTrip makes one attempt and judges it.
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	x.waiting = false
	if x.attempts > 0 {
		// Another call may have met a 429 while this one waited.
		if until, ok := x.options.RateLimit.paused(x.key(), time.Now()); ok && until.After(x.pause) {
			x.result.RetryAt = until.Round(0)
			x.result.transient = false
			return nil, x.result
		}
	}
	x.attempts++
	limit := x.options.Timeout
	if x.replayable {
		limit /= time.Duration(x.options.MaxRetries + 1)
	}
	ctx, cancel := context.WithTimeout(req.Context(), limit)
	defer cancel()

	var c connection
	sent := time.Now()
	resp, err := x.options.Base.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, c.trace())))
	if err == nil && resp == nil {
		err = errors.New("the RoundTripper returned neither a response nor an error")
	}
	if err != nil {
		x.result = x.unanswered(req.Context(), ctx, err, &c)
		return nil, x.result
	}
	body, err := readBody(ctx, resp)
	x.result = x.judge(req.Context(), ctx, resp, body, err, sent)
	resp.Body = http.NoBody
	return resp, nil
}

// readBody reads at most one byte more than maxBody.
func readBody(ctx context.Context, resp *http.Response) ([]byte, error) {
	if resp.Body == nil {
		return nil, nil
	}
	body := resp.Body
	defer body.Close()
	// A trickle ends with ctx even if the body does not heed it.
	stop := context.AfterFunc(ctx, func() { body.Close() })
	defer stop()
	b, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return b, err
}

// judge decides what an answer means; nil is success. bodyErr is why the body
// could not be read to its end.
func (x *exchange) judge(call, attempt context.Context, resp *http.Response, body []byte, bodyErr error, sent time.Time) *Error {
	now := time.Now()
	success := resp.StatusCode >= 200 && resp.StatusCode < 300
	if resp.StatusCode != http.StatusTooManyRequests {
		x.options.RateLimit.answered(x.key(), sent)
	}
	e := &Error{
		Host:     x.address.host,
		Action:   x.action,
		Status:   resp.StatusCode,
		Attempts: x.attempts,
		header:   x.shown(resp.Header),
	}
	told, named := parseErrorBody(body)
	if success && !named {
		switch {
		case bodyErr != nil && call.Err() != nil:
			e = x.ended(call)
		case bodyErr != nil && attempt.Err() != nil:
			e.problem, e.next, e.transient = "the answer did not end in time", "try again later", true
		case bodyErr != nil:
			e.problem, e.next, e.transient = "the answer broke off", "try again later", true
		case len(body) > maxBody:
			e.problem, e.next = "the answer is over 1 MiB", "check that the address is a token endpoint"
		default:
			problem := x.accept(body, resp.Header, sent)
			if problem == "" {
				return nil
			}
			e.problem, e.next, e.transient = problem, "check that the address is a token endpoint", true
		}
		e.err, e.MayHaveActed = bodyErr, true
		return e
	}

	if !x.secrets.inBody(body) {
		e.Code, e.Detail, e.uri = told.code, told.detail, told.uri
		if !success {
			e.body = body[:min(len(body), maxBody)]
		}
	} else if rfcCode(told.code) && knownCodes[told.code] {
		e.Code = told.code
	}
	e.err = bodyErr
	e.explain()
	if e.Status >= 300 && e.Status < 400 {
		if to := origin(resp, x.address.url); to != "" && !x.secrets.in(to) {
			e.next += " (it points to " + to + ")"
		}
	}

	wait, asked := retryafter.Parse(resp.Header, now)
	switch {
	case e.Status == http.StatusTooManyRequests:
		e.transient = true
		if !asked {
			wait = -1
		}
		x.pause = x.options.RateLimit.refused(x.key(), sent, now, wait)
		e.RetryAt = x.pause.Round(0)
		x.options.Logger.LogAttrs(attempt, slog.LevelWarn, "token endpoint: too many requests",
			slog.String("host", e.Host), slog.String("action", e.Action), slog.Time("retry_at", e.RetryAt))
	case asked:
		e.RetryAt = now.Round(0).Add(wait)
	}
	if e.Status == http.StatusRequestTimeout || e.Status >= 500 {
		e.transient = e.Status != http.StatusNotImplemented
		// A gateway answers so also for a server that went away in the middle of its
		// work, and adds a Retry-After of its own: that header proves nothing.
		e.MayHaveActed = true
	}
	// An error in a success is at odds with itself.
	e.MayHaveActed = e.MayHaveActed || success
	return e
}

// knownCodes are shown even if a secret happens to be part of the answer.
var knownCodes = map[string]bool{
	"invalid_request": true, "invalid_client": true, "invalid_grant": true, "unauthorized_client": true,
	"unsupported_grant_type": true, "invalid_scope": true, "invalid_assertion": true, "unsupported_token_type": true,
	"access_denied": true, "server_error": true, "temporarily_unavailable": true, "invalid_token": true,
}

// unanswered judges an attempt that brought no answer.
func (x *exchange) unanswered(call, attempt context.Context, err error, c *connection) *Error {
	if call.Err() != nil {
		e := x.ended(call)
		e.MayHaveActed = !c.neverMade(err)
		return e
	}
	e := x.failure("the connection broke before the answer", err)
	e.transient = true
	e.next = "try again later"
	e.MayHaveActed = !c.neverMade(err)
	var dns *net.DNSError
	switch {
	case attempt.Err() != nil:
		e.problem = "no answer in time"
		e.err = errors.Join(attempt.Err(), err)
	case errors.Is(err, endpoint.ErrNotLoopback):
		e.problem, e.next = "the host is not on this machine", "use https, or the host's loopback address"
		e.transient = false
	case notTLS(err):
		e.problem, e.next = "the server does not speak TLS", "check the address: is it http, not https?"
		e.transient = false
	case untrusted(err):
		e.problem, e.next = "the connection cannot be trusted", "check the server's certificate and the host's name"
		e.transient = false
	case errors.As(err, &dns):
		e.problem, e.next = "the host's name was not found", "check the configured address"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.problem, e.next = "connection refused", "check the address, and that the server runs"
	case !e.MayHaveActed:
		e.problem, e.next = "no connection", "check the address, and try again later"
	}
	return e
}

func (x *exchange) failure(problem string, err error) *Error {
	return &Error{Host: x.address.host, Action: x.action, Attempts: x.attempts, problem: problem, err: err}
}

func (x *exchange) ended(ctx context.Context) *Error {
	e := x.failure("the context ended", context.Cause(ctx))
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.problem = "no answer in time"
	}
	// A caller's own cause must not hide that the context ended.
	if !errors.Is(e.err, ctx.Err()) {
		e.err = errors.Join(ctx.Err(), e.err)
	}
	return e
}

func (x *exchange) pausedUntil(until time.Time) *Error {
	e := x.failure("", nil)
	e.Status, e.Code, e.RetryAt = http.StatusTooManyRequests, "TOO_MANY_REQUESTS", until.Round(0)
	e.explain()
	return e
}

// checkRetry decides on the next attempt, and how long to wait for it.
func (x *exchange) checkRetry(ctx context.Context, _ *http.Response, _ error) (bool, error) {
	e := x.result
	if e == nil || !e.transient || ctx.Err() != nil || e.MayHaveActed && !x.replayable || x.attempts > x.options.MaxRetries {
		return false, nil
	}
	backoff := firstBackoff << min(x.attempts-1, 5)
	x.wait = backoff/2 + jitter(backoff/2)
	if !e.RetryAt.IsZero() {
		x.wait = max(x.wait, time.Until(e.RetryAt))
	}
	if end, ok := ctx.Deadline(); x.wait > maxWait || ok && time.Until(end) <= x.wait {
		return false, nil
	}
	x.options.Logger.LogAttrs(ctx, slog.LevelDebug, "token endpoint: trying again",
		slog.Any("error", e), slog.Int("attempts", x.attempts), slog.Duration("wait", x.wait))
	x.waiting = true
	return true, nil
}

// connection watches whether a request can have left this machine. The
// Transport may call back from other goroutines, even after it has returned.
type connection struct{ wanted, had atomic.Bool }

func (c *connection) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { c.wanted.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { c.had.Store(true) },
	}
}

// neverMade reports that err came before there was a connection, either because
// the Transport asked for one and got none, or by the nature of the error.
func (c *connection) neverMade(err error) bool {
	if c.had.Load() {
		return false
	}
	var op *net.OpError
	var dns *net.DNSError
	return c.wanted.Load() || errors.As(err, &dns) || errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}

// untrusted reports an error that the next attempt would meet again.
func untrusted(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}

// notTLS reports an answer that is no TLS record.
func notTLS(err error) bool {
	var record tls.RecordHeaderError
	return errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch)
}

// shown is the header without what can hold secrets, or does.
func (x *exchange) shown(h http.Header) http.Header {
	h = h.Clone()
	for name, values := range h {
		if slices.ContainsFunc(values, x.secrets.in) {
			delete(h, name)
		}
	}
	h.Del("Set-Cookie")
	h.Del("Location")
	h.Del("Content-Location")
	h.Del("Refresh")
	return h
}

// origin is where a redirect points to, without the path and query, which can
// repeat what was sent.
func origin(resp *http.Response, from string) string {
	base, err := url.Parse(from)
	if err != nil {
		return ""
	}
	to, err := base.Parse(resp.Header.Get("Location"))
	if err != nil || resp.Header.Get("Location") == "" || to.Host == "" {
		return ""
	}
	return to.Scheme + "://" + to.Host
}
