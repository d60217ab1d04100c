package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed templates static
var files embed.FS

// pages are the templates by name, each with the layout round it.
var pages = parsePages()

func parsePages() map[string]*template.Template {
	layout := template.Must(template.ParseFS(files, "templates/layout.html", "templates/hood.html", "templates/art.html"))
	list := map[string]*template.Template{}
	for _, name := range []string{"catalog", "cart", "sign-in", "account", "problem"} {
		list[name] = template.Must(template.Must(layout.Clone()).ParseFS(files, "templates/"+name+".html"))
	}
	return list
}

// page is what the layout shows.
type page struct {
	Name     string
	Title    string
	Market   *market
	Markets  []*market
	Rest     string // the address within the market
	Back     string // the address for forms to come back to
	Customer bool
	Cart     *cart // nil: nobody has looked
	Notice   *notice
	Hood     hoodView
	Content  any
}

func (v *visit) render(name, title string, content any) error {
	return v.renderStatus(http.StatusOK, name, title, content)
}

// renderStatus writes a page. All calls of the API have been made by then, so that
// the panel can tell of them.
func (v *visit) renderStatus(status int, name, title string, content any) error {
	if code := v.cookies.get(v.r, "notice"); code != "" {
		v.cookies.drop(v.w, "notice")
		if v.notice == nil {
			v.notice = notices[code]
		}
	}
	t := traceOf(v.r.Context())
	t.showTo(v.w, v.customer())
	p := page{
		Name: name, Title: title, Market: v.market, Markets: v.markets, Rest: v.rest(), Back: v.back(),
		Customer: v.customer(), Cart: v.cart, Notice: v.notice, Hood: t.view(v.customer()), Content: content,
	}
	var b bytes.Buffer
	if err := pages[name].ExecuteTemplate(&b, "layout", p); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "private, no-store") // each page has this visitor's panel
	v.w.WriteHeader(status)
	v.w.Write(b.Bytes())
	return nil
}

var (
	errBadForm    = errors.New("the form cannot be understood")
	errUnreadable = errors.New("the API's answer cannot be understood")
	errUnknown    = errors.New("nobody can tell whether the visitor is signed in")
	errNotKept    = errors.New("the sign-in cannot be kept")
)

// problem is what the page of an error says.
type problem struct {
	Status int
	Title  string
	Text   string
	Next   string // what to do
	Try    string // the page to try again
}

func (v *visit) notFound() error {
	return v.renderStatus(http.StatusNotFound, "problem", "Not found", problem{
		Status: http.StatusNotFound, Title: "There is no such page",
		Text: "The address may be mistyped, or what was here is gone.",
	})
}

// fail answers with a page that says what happened in plain words.
func (v *visit) fail(err error) {
	if errors.Is(err, context.Canceled) && v.r.Context().Err() != nil {
		return // nobody is waiting
	}
	if refusedWith(err, http.StatusUnauthorized) {
		// The token was refused. If no other one can be had, that is the reason.
		if why := v.whyNoToken(); why != nil {
			err = why
		}
	}
	v.log.WarnContext(v.r.Context(), "a page failed", "path", v.r.URL.Path, "error", err)
	p := v.problem(err)
	p.Try = v.back()
	if at, ok := nextTry(err); ok && !at.IsZero() {
		wait := max(1, int(time.Until(at)/time.Second)+1)
		v.w.Header().Set("Retry-After", strconv.Itoa(wait))
		p.Next = fmt.Sprintf("The next try is possible in %d s.", wait)
	}
	if v.cart = nil; v.renderStatus(p.Status, "problem", p.Title, p) != nil {
		http.Error(v.w, p.Title, p.Status)
	}
}

func (v *visit) problem(err error) problem {
	_, noToken := nextTry(err)
	refused, isRefused := errors.AsType[*refusal](err)
	switch {
	case noToken && v.customer():
		return problem{Status: http.StatusServiceUnavailable, Title: "Your sign-in cannot be renewed right now",
			Text: "Your access token has to be replaced, and the token endpoint does not give another one. You are still signed in, and nothing is done in your name as a guest."}
	case noToken:
		return problem{Status: http.StatusServiceUnavailable, Title: "The shop cannot get a token right now",
			Text: "Every call of the API needs one, and the token endpoint does not give any."}
	case errors.Is(err, errUnknown):
		return problem{Status: http.StatusServiceUnavailable, Title: "The shop cannot tell who you are right now",
			Text: "If you are signed in you still are, but the storage where that is kept cannot be reached. Nothing is done as a guest meanwhile."}
	case errors.Is(err, errNotKept):
		return problem{Status: http.StatusServiceUnavailable, Title: "Nobody can sign in right now",
			Text: "Your password is right, but the storage where sign-ins are kept cannot be reached."}
	case errors.Is(err, errBadForm):
		return problem{Status: http.StatusBadRequest, Title: "That form makes no sense", Text: "Nothing was done. Go back and try again."}
	case isRefused && refused.status == http.StatusUnprocessableEntity:
		return problem{Status: http.StatusUnprocessableEntity, Title: "That cannot be done", Text: "The shop has refused it: perhaps it is not sold in this market."}
	case isRefused && refused.code == badToken:
		return problem{Status: http.StatusServiceUnavailable, Title: "The token was refused once too often",
			Text: "The API has refused a token that was only just replaced. Lest a broken API drive token requests, the shop waits before it asks for the next one: a second, then two, then four."}
	case isRefused && refused.status == http.StatusUnauthorized, isRefused && refused.status == http.StatusForbidden:
		return problem{Status: http.StatusForbidden, Title: "That is not allowed", Text: "The API knows who you are, and does not let you do this."}
	case isRefused:
		return problem{Status: http.StatusBadGateway, Title: "The shop’s back office is in trouble",
			Text: fmt.Sprintf("The API answered %d where it should not have.", refused.status)}
	case errors.Is(err, errUnreadable):
		return problem{Status: http.StatusBadGateway, Title: "The shop’s back office is in trouble", Text: "The API’s answer cannot be understood."}
	}
	return problem{Status: http.StatusServiceUnavailable, Title: "The shop’s back office cannot be reached", Text: "The API does not answer."}
}

// static serves the style sheet and the script. Browsers ask each time whether
// they have changed.
func static() http.Handler {
	etags := map[string]string{}
	fs.WalkDir(files, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(name)
		sum := sha256.Sum256(b)
		etags["/"+name] = `"` + hex.EncodeToString(sum[:8]) + `"`
		return err
	})
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		etag, ok := etags[r.URL.Path]
		if !ok || strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", etag)
		w.Header().Set("Cache-Control", "no-cache")
		server.ServeHTTP(w, r)
	})
}
