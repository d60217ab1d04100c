package bearer_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/bearerkit/bearer"
)

func TestSessionEventsInLogs(t *testing.T) {
	owner := bearer.Owner{Type: "Customer", ID: "ann"}
	tests := []struct {
		event bearer.Event
		want  string
	}{
		{bearer.SignedIn{Storefront: "shop", Owner: owner, Again: true}, `level=INFO msg="customer signed in" e.storefront=shop e.owner_id=ann e.again=true`},
		{bearer.SignedOut{Storefront: "shop"}, `level=INFO msg="customer signed out" e.storefront=shop`},
		{bearer.CustomerExpired{Storefront: "shop", Owner: owner}, `level=INFO msg="customer's session ended" e.storefront=shop e.owner_id=ann`},
		{bearer.SessionRefused{Storefront: "shop", Err: errDown}, `level=WARN msg="customer's record refused" e.storefront=shop e.error="` + bearer.Describe(errDown) + `"`},
		{bearer.StorageFailed{Name: "shop", Err: errDown}, `level=WARN msg="storage of tokens failed" e.name=shop e.error="` + bearer.Describe(errDown) + `"`},
		{bearer.RevocationFailed{Storefront: "shop", Err: errDown}, `level=WARN msg="tokens not revoked" e.storefront=shop e.error="` + bearer.Describe(errDown) + `"`},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%T", tt.event), func(t *testing.T) {
			var b bytes.Buffer
			slog.New(slog.NewTextHandler(&b, nil)).Log(t.Context(), tt.event.Level(), tt.event.Message(), "e", tt.event)
			if got := strings.TrimSpace(b.String()); !strings.HasSuffix(got, tt.want) {
				t.Errorf("logged %s, want %s", got, tt.want)
			}
			if got := fmt.Sprintf("%v %+v %#v", tt.event, tt.event, tt.event); strings.Contains(got, "s3cr3t") {
				t.Errorf("printed as %s, want no foreign text", got)
			}
		})
	}
}
