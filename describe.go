package bearer

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"

	"golang.org/x/oauth2"
)

// safeError is an error whose text is our own.
type safeError struct {
	text string
	err  error // what it is besides, for errors.Is
}

func (e *safeError) Error() string { return "bearer: " + e.text }
func (e *safeError) Unwrap() error { return e.err }

// Format prints what Error returns, whatever the verb.
func (e *safeError) Format(f fmt.State, _ rune) { io.WriteString(f, e.Error()) }

// describe says in a few words what went wrong, without the text of an error
// that is not known to be free of secrets: *oauth2.RetrieveError quotes the
// server's answer, *url.Error a URL, and anything may quote a password. What it
// does not know it names by its type; the error itself stays in the chain.
//
// An error that wants to be described by its own words implements
// [slog.LogValuer], as those of package tokenendpoint do.
func describe(err error) (text string) {
	if err == nil {
		return "no error"
	}
	defer func() { // a foreign error may be a nil pointer, or panic when it is looked into
		if recover() != nil {
			text = undescribed(err)
		}
	}()
	var own slog.LogValuer
	if errors.As(err, &own) {
		return own.LogValue().String()
	}
	if e := retrieveError(err); e != nil {
		return describeAnswer(e)
	}
	if e, ok := errors.AsType[*PanicError](err); ok {
		return e.text()
	}
	if e, ok := errors.AsType[*safeError](err); ok {
		return e.text
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e.Error()
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "the host's name was not found"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the server's certificate is not trusted"
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() { // also context.DeadlineExceeded
		return "timed out"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the connection was closed"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return "the server does not speak TLS: is it http, not https?"
	}
	return undescribed(err)
}

// undescribed names an error and says where its text is.
func undescribed(err error) string {
	return fmt.Sprintf("an error of type %T, whose text may hold secrets and is not shown here (see its Unwrap)", err)
}

// describeAnswer describes what a token endpoint answered, and what to do.
func describeAnswer(e *oauth2.RetrieveError) string {
	text, status := "the token endpoint's answer is not usable", 0
	if e.Response != nil {
		status = e.Response.StatusCode
		text = fmt.Sprintf("the token endpoint answered %d", status)
		if r := e.Response.Request; r != nil && r.URL != nil {
			text = fmt.Sprintf("the token endpoint at %s answered %d", r.URL.Host, status)
		}
	}
	if printableCode(e.ErrorCode) {
		text += " " + e.ErrorCode
	}
	switch {
	case e.ErrorCode == "invalid_client" || e.ErrorCode == "unauthorized_client":
		text += "; check the client id, its secret and its grants"
	case e.ErrorCode == "invalid_grant":
		text += "; sign in again"
	case e.ErrorCode == "invalid_scope":
		text += "; check the scope"
	case status == http.StatusTooManyRequests:
		text += "; keep tokens and ask less often"
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status/100 == 3:
		text += "; check its address"
	case status/100 == 4:
		text += "; check the client id, its secret and the scope"
	}
	return text
}

// printableCode reports whether code looks like one of RFC 6749 §5.2, not like
// something that a server was made to echo.
func printableCode(code string) bool {
	return code != "" && len(code) <= 40 && strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") == ""
}
