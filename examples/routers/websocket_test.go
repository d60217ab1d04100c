package routers_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/bearerkit/bearer"
	"github.com/coder/websocket"
)

// A WebSocket outlives many states of its visitor: it is told of a sign-out in
// another tab.
func TestWebSocket(t *testing.T) {
	shop, server := newShop(t)
	h := handlers{shop, server.APIURL()}
	router := http.NewServeMux()
	router.HandleFunc("POST /login", h.login)
	router.HandleFunc("POST /logout", h.logout)
	router.HandleFunc("GET /socket", func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.CloseNow()
		session, _ := bearer.FromContext(r.Context())
		for {
			_, _, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			state, err := session.State(r.Context())
			if err != nil {
				t.Error(err)
				return
			}
			if conn.Write(r.Context(), websocket.MessageText, []byte(state.String())) != nil {
				return
			}
		}
	})
	b := newBrowser(t, shop.Middleware(nil)(router))
	b.want("POST", "/login", http.StatusNoContent, "")

	conn, _, err := websocket.Dial(t.Context(), "wss"+strings.TrimPrefix(b.url, "https")+"/socket",
		&websocket.DialOptions{HTTPClient: b.client})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if got := ask(t.Context(), t, conn); got != "customer" {
		t.Errorf("the socket says %q, want customer", got)
	}
	b.want("POST", "/logout", http.StatusNoContent, "")
	if got := ask(t.Context(), t, conn); got != "guest" {
		t.Errorf("after the sign-out in another tab the socket says %q, want guest", got)
	}
}

func ask(ctx context.Context, t *testing.T, conn *websocket.Conn) string {
	t.Helper()
	if err := conn.Write(ctx, websocket.MessageText, []byte("who?")); err != nil {
		t.Fatal(err)
	}
	_, answer, err := conn.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}
