package commercelayertest

import (
	"net/http"
	"strconv"
)

// problem is one error as the service words it.
type problem struct {
	status              int
	title, detail, code string
	pointer             string // JSON pointer into the request's document, if that is wrong
	allow               string // value of the Allow header, with a 405
}

// Errors whose texts clients compare.
var (
	errUnknownClient = problem{
		status: http.StatusUnauthorized, title: "invalid_client", code: "UNAUTHORIZED",
		detail: "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.",
	}
	errAssertion = problem{
		status: http.StatusBadRequest, title: "invalid_assertion", code: "BAD_REQUEST",
		detail: "The provided assertion is invalid.",
	}
	errRevokeRefused = problem{
		status: http.StatusForbidden, title: "unauthorized_client", code: "FORBIDDEN",
		detail: "You are not authorized to revoke this token",
	}
	errInvalidToken = problem{
		status: http.StatusUnauthorized, title: "Invalid token", code: "INVALID_TOKEN",
		detail: "The access token you provided is invalid.",
	}
	errAccessDenied = problem{
		status: http.StatusUnauthorized, title: "Access denied", code: "UNAUTHORIZED",
		detail: "You are not authorized to perform this action on the requested resource.",
	}
	errTooMany = problem{
		status: http.StatusTooManyRequests, title: "Too many requests", code: "TOO_MANY_REQUESTS",
		detail: "Too many token requests from this address within a minute. Keep the tokens you get.",
	}
)

// badRequest is a 400 of the token endpoint, with an error code of RFC 6749
// §5.2 as its title, which is where the service has it.
func badRequest(title, detail string) problem {
	return problem{status: http.StatusBadRequest, title: title, code: "BAD_REQUEST", detail: detail}
}

// methodNotAllowed is a 405.
func methodNotAllowed(allow string) problem {
	return problem{
		status: http.StatusMethodNotAllowed, title: "Method not allowed", code: "METHOD_NOT_ALLOWED",
		detail: "Use " + allow + " here.", allow: allow,
	}
}

// errorObject is one entry of errors. Its status is a number on the auth host
// and a string on the API hosts.
type errorObject struct {
	Title  string       `json:"title"`
	Detail string       `json:"detail"`
	Code   string       `json:"code"`
	Source *errorSource `json:"source,omitempty"`
	Status any          `json:"status"`
}

type errorSource struct {
	Pointer string `json:"pointer"`
}

type errorDocument struct {
	Errors []errorObject `json:"errors"`
}

// reply words the problem in the way of the host that it is for.
func (p problem) reply(at place) reply {
	e := errorObject{Title: p.title, Detail: p.detail, Code: p.code, Status: p.status}
	if p.pointer != "" {
		e.Source = &errorSource{p.pointer}
	}
	contentType := jsonType
	if at.apiHost {
		e.Status = strconv.Itoa(p.status)
		contentType = jsonAPIType
	}
	a := newReply(p.status, contentType, errorDocument{[]errorObject{e}})
	a.code = p.code
	if p.allow != "" {
		a.header.Set("Allow", p.allow)
	}
	return a
}
