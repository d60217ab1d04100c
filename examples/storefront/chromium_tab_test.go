package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// tab is one of a browser's.
type tab struct {
	*stand
	ctx    context.Context
	status int64 // of the page
}

// profile opens a tab in a profile of its own: another browser, as far as cookies go.
func (s *stand) profile() *tab {
	s.t.Helper()
	ctx, err := chromium()
	if err != nil {
		s.t.Fatal(err)
	}
	return s.openTab(ctx, chromedp.WithNewBrowserContext())
}

// another opens a second tab in the same profile.
func (b *tab) another() *tab {
	b.t.Helper()
	return b.openTab(b.ctx)
}

func (s *stand) openTab(parent context.Context, options ...chromedp.ContextOption) *tab {
	s.t.Helper()
	ctx, cancel := chromedp.NewContext(parent, options...)
	s.t.Cleanup(cancel)
	if err := chromedp.Listen(ctx, s.hear); err != nil {
		s.t.Fatal(err)
	}
	b := &tab{stand: s, ctx: ctx}
	b.do("a new tab", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, audits.Enable, cdp.Empty{})
		return err
	}), desktop)
	return b
}

var (
	desktop = chromedp.EmulateViewport(1280, 800)
	phone   = chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulateScale(2))
)

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// eval returns the value of a script.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return v
}

// turn does what leads to another page, and notes all of that page that a script
// can read.
func (b *tab) turn(what string, steps ...chromedp.Action[chromedp.Void]) *tab {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	answer, err := chromedp.RunResponse(ctx, steps...)
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	if answer == nil {
		b.t.Fatalf("%s: there was no answer", what)
	}
	b.status = answer.Status
	readable := eval[[]string](b, `[document.documentElement.outerHTML, document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage), location.href, document.referrer, window.name]`)
	b.saw(readable...)
	if readable[1] != "" {
		b.t.Errorf("%s: scripts can read cookies: %s", what, readable[1])
	}
	return b
}

func (b *tab) visit(path string) *tab {
	b.t.Helper()
	return b.turn(path, chromedp.Navigate(b.url+path))
}

func (b *tab) reload() *tab {
	b.t.Helper()
	return b.turn("reload", chromedp.Reload())
}

func sel(test string) chromedp.CSS { return chromedp.CSS(`[data-test="` + test + `"]`) }

// click clicks with the mouse on what leads to another page.
func (b *tab) click(test string) *tab {
	b.t.Helper()
	return b.turn("click on "+test, chromedp.Click(sel(test)))
}

// press does so with the keyboard. That hits even while the panel grows and what is
// below moves.
func (b *tab) press(test string) *tab {
	b.t.Helper()
	return b.turn("press "+test, chromedp.Focus(sel(test)), chromedp.KeyEvent("\r"))
}

// until waits until a script says so, on the page as it is.
func (b *tab) until(script string) *tab {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience+10*time.Second)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Poll[chromedp.Void](script, chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(patience)))
	if err != nil {
		b.t.Fatalf("%s: %v\n%s", script, err, b.text("hood"))
	}
	return b
}

func (b *tab) has(test string) bool {
	b.t.Helper()
	return eval[bool](b, `document.querySelector('[data-test="`+test+`"]') !== null`)
}

// text is what one reads there.
func (b *tab) text(test string) string {
	b.t.Helper()
	return strings.Join(strings.Fields(eval[string](b, `document.querySelector('[data-test="`+test+`"]')?.innerText ?? ""`)), " ")
}

// field is one of the panel's box of the last request.
func (b *tab) field(name string) string {
	b.t.Helper()
	return eval[string](b, `document.querySelector('[data-field="`+name+`"]').innerText`)
}

func (b *tab) path() string {
	b.t.Helper()
	return eval[string](b, `location.pathname + location.search`)
}

// want fails unless the page has this status, and says what the notice of that name
// says; an empty name is that of no notice.
func (b *tab) want(status int64, code string) *tab {
	b.t.Helper()
	text := ""
	if code != "" {
		text = notices[code].Text
	}
	if got := b.text("notice"); b.status != status || got != text {
		b.t.Fatalf("%s: status %d and notice %q, want %d and %q\n%s", b.path(), b.status, got, status, text, b.text("problem"))
	}
	return b
}

// wantWho fails unless the visitor is one, and the page shows it.
func (b *tab) wantWho(who string) *tab {
	b.t.Helper()
	if got := b.field("who"); got != who || b.has("sign-out") != (who == "customer") || b.has("sign-in-link") == (who == "customer") {
		b.t.Fatalf("%s: the panel says %q, and one can sign out: %v, want a %s", b.path(), got, b.has("sign-out"), who)
	}
	return b
}

// signIn signs somebody in, as people do.
func (b *tab) signIn(email, password string) *tab {
	b.t.Helper()
	b.click("sign-in-link")
	b.do("fill the form in", chromedp.SendKeys(chromedp.ID("email"), email), chromedp.SendKeys(chromedp.ID("password"), password))
	return b.click("sign-in")
}

// picture takes one, if pictures are wanted, as it is on a screen of the finer kind.
func (b *tab) picture(name string) {
	b.t.Helper()
	if *pictures == "" {
		return
	}
	if eval[int](b, `innerWidth`) == 1280 {
		b.do("a finer screen", chromedp.EmulateViewport(1280, 800, chromedp.EmulateScale(2)))
		defer b.do("the usual screen", desktop)
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Errorf("picture %s: %v", name, err)
	}
}
