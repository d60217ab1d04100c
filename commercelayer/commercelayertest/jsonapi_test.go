package commercelayertest_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

type listDoc struct {
	Data     []struct{ ID string }
	Included []struct{ Type, ID string }
	Meta     struct {
		RecordCount int `json:"record_count"`
		PageCount   int `json:"page_count"`
	}
	Links map[string]string
}

// Brackets come raw and encoded; the links lead through all pages and back.
func TestPages(t *testing.T) {
	k := newKit(t, nil)
	token := k.token(guest).Access
	for _, path := range []string{"skus?page[size]=5&x=y%26z", "skus?page%5Bsize%5D=5&x=y%26z"} {
		var seen []string
		var doc listDoc
		next := k.server.APIURL() + "/api/" + path
		for pages := 1; next != ""; pages++ {
			doc = listDoc{}
			k.api(token, strings.TrimPrefix(next, k.server.APIURL()+"/api/")).into(t, &doc)
			equal(t, "record_count", doc.Meta.RecordCount, 12)
			equal(t, "page_count", doc.Meta.PageCount, 3)
			for _, r := range doc.Data {
				seen = append(seen, r.ID)
			}
			if got, want := doc.Links["prev"] != "", pages > 1; got != want {
				t.Errorf("page %d: prev is %q", pages, doc.Links["prev"])
			}
			next = doc.Links["next"]
		}
		equal(t, "seen", len(seen), 12)
		slices.Sort(seen)
		equal(t, "different", len(slices.Compact(seen)), 12)
		for _, name := range []string{"first", "last"} {
			u, err := url.Parse(doc.Links[name])
			if err != nil || u.Query().Get("x") != "y&z" || u.Query().Get("page[size]") != "5" {
				t.Errorf("%s: %s", name, doc.Links[name])
			}
		}
	}
	var doc listDoc
	k.api(token, "skus").into(t, &doc)
	equal(t, "default size", len(doc.Data), 10)
	doc = listDoc{}
	k.api(token, "skus?page[number]=99").into(t, &doc)
	equal(t, "far behind the end", len(doc.Data), 0)
	a := k.api(token, "orders")
	if !strings.Contains(string(a.body), `"data":[]`) {
		t.Errorf("an empty list: %s", a.body)
	}
}

func TestIncludeFieldsAndFilters(t *testing.T) {
	k := newKit(t, nil)
	token := k.token(integration).Access
	var doc listDoc
	k.api(token, "skus?page[size]=2&include=prices,nonsense").into(t, &doc)
	equal(t, "included", len(doc.Included), 4)
	a := k.api(token, "skus?page[size]=1&fields[skus]=code,nonsense")
	if !strings.Contains(string(a.body), `"attributes":{"code":"MUG-WHITE"}`) {
		t.Errorf("fields: %s", a.body)
	}
	for path, want := range map[string][]any{
		"skus?filter[q][code_eq]=CAP":           {"CAP"},
		"skus?filter[q][code_in]=CAP,BAG,OTHER": {"CAP", "BAG"},
		"skus?filter[q][code_eq]=OTHER":         nil,
		"skus?filter[q][name_matches]=x&sort=":  {"MUG-WHITE"},
	} {
		_, got := k.api(token, path).list(t, "code")
		if want != nil && want[0] == "MUG-WHITE" {
			equal(t, path+": ignored", len(got), 10)
		} else if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
}

// Whatever the query, the answer is a list whose page holds as many as the meta
// says, or an error.
func FuzzListQuery(f *testing.F) {
	server := clt.NewServer(nil)
	issued, err := server.Issue(clt.IntegrationID, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("page[size]=3&page[number]=2&include=prices")
	f.Add("filter[q][code_eq]=CAP&fields[skus]=")
	f.Add("sort=-created_at,code&page[size]=2")
	f.Add("%zz&page[number]=99999999999999999999")
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", server.APIURL()+"/api/skus", nil)
		r.URL.RawQuery = query
		r.Header.Set("Authorization", "Bearer "+issued.AccessToken)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		var doc struct {
			listDoc
			Errors []struct{ Status string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
			t.Fatalf("%q: %v", w.Body, err)
		}
		switch {
		case w.Code == 400 && len(doc.Errors) == 1:
		case w.Code != 200:
			t.Errorf("status %d: %s", w.Code, w.Body)
		case len(doc.Data) > 25 || len(doc.Data) > doc.Meta.RecordCount || doc.Meta.RecordCount > 12:
			t.Errorf("%d of %d", len(doc.Data), doc.Meta.RecordCount)
		}
	})
}
