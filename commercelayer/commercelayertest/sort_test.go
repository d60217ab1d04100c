package commercelayertest_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestSort(t *testing.T) {
	k := newKit(t, &clt.Options{SKUs: []clt.SKU{
		{Code: "B", Name: "one", Prices: map[string]int64{"EUR": 1000}},
		{Code: "C", Name: "two", Prices: map[string]int64{"EUR": 200}},
		{Code: "A", Name: "one", Prices: map[string]int64{"EUR": 30}},
	}})
	staff := k.token(integration).Access
	tests := []struct {
		path, attribute string
		want            []any
	}{
		{"skus", "code", []any{"B", "C", "A"}},
		{"skus?sort=", "code", []any{"B", "C", "A"}},
		{"skus?sort=code", "code", []any{"A", "B", "C"}},
		{"skus?sort=-code", "code", []any{"C", "B", "A"}},
		{"skus?sort=-name,code", "code", []any{"C", "A", "B"}},
		{"skus?sort=name,-code", "code", []any{"B", "A", "C"}},
		{"skus?sort=-name,created_at", "code", []any{"C", "B", "A"}},
		{"skus?sort=created_at", "code", []any{"B", "C", "A"}},
		{"skus?sort=-created_at", "code", []any{"A", "C", "B"}},
		{"skus?sort=code&page[size]=2&page[number]=2", "code", []any{"C"}},
		{"prices?sort=amount_cents", "amount_cents", []any{30.0, 200.0, 1000.0}},
		{"customers?sort=-email", "email", []any{clt.OtherCustomerEmail, clt.CustomerEmail}},
	}
	for _, tt := range tests {
		if _, got := k.api(staff, tt.path).list(t, tt.attribute); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.path, got, tt.want)
		}
	}
	for _, path := range []string{
		"skus?sort=description", "skus?sort=amount_cents", "skus?sort=code,", "skus?sort=code,%20name", "skus?sort=--code",
		"skus?sort=-", "orders?sort=metadata", "addresses?sort=line_1", "markets?sort=", "organizations?sort=x",
		"customers/" + clt.CustomerID + "/orders?sort=code",
	} {
		a := k.api(staff, path)
		switch path {
		case "markets?sort=":
			equal(t, path, a.status, 200)
		case "organizations?sort=x":
			equal(t, path, a.status, 404)
		default:
			equal(t, path, a.status, 400)
			equal(t, "title", a.title(t), "Invalid sort criteria")
		}
	}
}

// The newest order comes last, unless it is asked for first.
func TestSortOrdersByTime(t *testing.T) {
	bubble(t, nil, func(t *testing.T, k *kit) {
		token := k.token(password).Access
		k.order(token, newOrder)
		// Within the same millisecond, and an hour later.
		k.order(token, newOrder)
		pass(time.Hour)
		k.order(token, newOrder)
		_, oldest := k.api(token, "orders").list(t, "number")
		equal(t, "orders", len(oldest), 5)
		newest := slices.Clone(oldest)
		slices.Reverse(newest)
		for path, want := range map[string][]any{
			"customers/" + clt.CustomerID + "/orders?sort=placed_at":   oldest,
			"orders?sort=created_at":                                   oldest,
			"orders?sort=number":                                       oldest,
			"orders?sort=-created_at":                                  newest,
			"orders?sort=-number":                                      newest,
			"customers/" + clt.CustomerID + "/orders?sort=-created_at": newest,
			// Carts have no time of placing: they come last, or else first.
			"orders?sort=placed_at":                                oldest,
			"orders?sort=-placed_at":                               newest,
			"orders?filter[q][status_eq]=placed&sort=-placed_at":   newest[3:],
			"orders?filter[q][status_in]=placed,draft&sort=number": oldest,
		} {
			if _, got := k.api(token, path).list(t, "number"); !slices.Equal(got, want) {
				t.Errorf("%s: got %v, want %v", path, got, want)
			}
		}
	})
}

// Whatever it is sorted by, a list holds the same as before, or is refused.
func FuzzSort(f *testing.F) {
	server := clt.NewServer(nil)
	issued, err := server.Issue(clt.IntegrationID, nil)
	if err != nil {
		f.Fatal(err)
	}
	list := func(t *testing.T, query string) (int, []string) {
		r := httptest.NewRequest("GET", server.APIURL()+"/api/orders?page[size]=25&"+query, nil)
		r.Header.Set("Authorization", "Bearer "+issued.AccessToken)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		var doc listDoc
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
			t.Fatalf("%s: %v", w.Body, err)
		}
		var ids []string
		for _, r := range doc.Data {
			ids = append(ids, r.ID)
		}
		return w.Code, ids
	}
	f.Add("-created_at")
	f.Add("guest,-total_amount_cents,placed_at")
	f.Add("metadata")
	f.Add("-,")
	f.Fuzz(func(t *testing.T, by string) {
		_, all := list(t, "")
		status, got := list(t, "sort="+url.QueryEscape(by))
		if status == 400 && got == nil {
			return
		}
		slices.Sort(all)
		slices.Sort(got)
		if status != 200 || len(all) == 0 || !slices.Equal(all, got) {
			t.Errorf("status %d: got %v, want %v", status, got, all)
		}
	})
}
