package bearer

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
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
			text = fmt.Sprintf("an error of type %T", err)
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
	return fmt.Sprintf("an error of type %T", err)
}

// describeAnswer describes what a token endpoint answered, and what to do.
func describeAnswer(e *oauth2.RetrieveError) string {
	text := "the token endpoint's answer is not usable"
	if e.Response != nil {
		text = fmt.Sprintf("the token endpoint answered %d", e.Response.StatusCode)
	}
	if printableCode(e.ErrorCode) {
		text += " " + e.ErrorCode
	}
	switch e.ErrorCode {
	case "invalid_client", "unauthorized_client":
		text += "; check the client id, its secret and its grants"
	case "invalid_grant":
		text += "; sign in again"
	case "invalid_scope":
		text += "; check the scope"
	}
	return text
}

// printableCode reports whether code looks like one of RFC 6749 §5.2, not like
// something that a server was made to echo.
func printableCode(code string) bool {
	return code != "" && len(code) <= 40 && strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") == ""
}
