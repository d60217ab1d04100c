package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// The configuration of the documentation is a good one, and all of it counts.
func TestDocumentedConfig(t *testing.T) {
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(source), "//\t{\n")
	example, _, _ = strings.Cut(example, "//\t}\n")
	example = strings.ReplaceAll("//\t{\n"+example+"//\t}\n", "//\t", "")
	name := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(name, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := parse([]string{"-config", name, "-rate-limit", "0"}, os.Stderr)
	if err != nil {
		t.Fatalf("%v in\n%s", err, example)
	}
	if s.options.RateLimit != commercelayertest.NoRateLimit {
		t.Errorf("a flag does not win over the file: %d", s.options.RateLimit)
	}
	if !s.tls || s.caOut != "ca.pem" || s.options.RefreshTokenLife != 14*24*time.Hour || s.options.RenewWithin != 15*time.Minute {
		t.Errorf("tls %v, ca_out %q, renew_within %v", s.tls, s.caOut, s.options.RenewWithin)
	}
	server, err := commercelayertest.New(&s.options)
	if err != nil {
		t.Fatal(err)
	}
	o := server.Options()
	if o.Organization.Slug != "acme" || len(o.Applications) != 4 || o.Applications[0].TokenLife != 4*time.Hour ||
		len(o.Customers) != 1 || o.Customers[0].PastOrders != 2 || o.Customers[0].Addresses[0].Line1 != "Via dei Mulini 12" ||
		o.Customers[0].Addresses[0].CountryCode != "IT" || o.RequestLog != 10000 ||
		o.Markets[0].StockLocations[0].Code != "eu_warehouse" || o.SKUs[0].Prices["EUR"] != 900 || o.BackendAuth == "" {
		t.Error("a part of the file did not count")
	}
}

func TestConfigDefaults(t *testing.T) {
	f, err := parseConfig([]byte(`{"customers": []}`))
	if err != nil {
		t.Fatal(err)
	}
	s := &settings{}
	f.apply(s)
	if s.options.Applications != nil || s.options.Customers == nil {
		t.Errorf("nil and empty are mixed up: %v %v", s.options.Applications, s.options.Customers)
	}
}

func TestConfigErrors(t *testing.T) {
	tests := []struct{ name, config, want string }{
		{"empty", "", "empty"},
		{"cut off", "{\n\"addr\": ", "line 2, column 9: the file ends too early"},
		{"no JSON", "{\n  addr: 1}", "line 2, column 3: this is not JSON"},
		{"list", "[]", "line 1, column 1"},
		{"unknown field", "{\n  \"adr\": \"x\"}", `line 2, column 3: there is no field "adr"`},
		{"unknown inner field", `{"customers":[{"mail":"x"}]}`, `no field "mail"`},
		{"wrong type", "{\"rate_limit\": 1,\n \"domain\": 7}", "line 2, column 12: domain has the wrong type: it is a text"},
		{"wrong inner type", `{"skus":[{"code":"a","prices":{"EUR":"9"}}]}`, "a whole number"},
		{"wrong list", `{"skus":{}}`, "skus has the wrong type: it is a list"},
		{"duration that is a number", `{"renew_within":15}`, `renew_within has the wrong type: it is a text such as "90m"`},
		{"duration without unit", `{"renew_within":"15"}`, "duration"},
		{"more behind it", "{}\n{}", "line 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseConfig([]byte(tt.config))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// What stands in the file may be a secret, so an error does not repeat it.
func TestConfigErrorsHoldNoSecret(t *testing.T) {
	for _, config := range []string{
		`{"applications":[{"client_secret":12345678}]}`,
		`{"applications":[{"client_secret":"s3cret}]}`,
		`{"backend_auth":["s3cret"]}`,
		`{"customers":[{"email":"no address","password":"s3cret"}]}`,
		`{"renew_within":"s3cret"}`,
		`{"applications":[{"kind":"x","client_id":"a","client_secret":"s3cret"}]}`,
	} {
		name := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(name, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		err := run(t.Context(), []string{"-addr", "127.0.0.1:0", "-config", name}, os.Stderr, os.Stderr)
		if err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "12345678") {
			t.Errorf("%s: got %v", config, err)
		}
	}
}

// A file is either taken or refused with a place in it.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"addr":"127.0.0.1:0","skus":[{"prices":{"EUR":1}}]}`))
	f.Add([]byte(`{"unknown":1}`))
	f.Add([]byte(`{"renew_within":"x"}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		parsed, err := parseConfig(config)
		switch {
		case err == nil && parsed == nil:
			t.Error("neither a file nor an error")
		case err != nil && !strings.HasPrefix(err.Error(), "line ") && !strings.Contains(err.Error(), "empty"):
			t.Errorf("an error without a place: %v", err)
		}
	})
}

func TestQuote(t *testing.T) {
	for value, want := range map[string]string{"a-b_c.d": "a-b_c.d", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'"} {
		if got := quote(value); got != want {
			t.Errorf("%s: got %s, want %s", value, got, want)
		}
	}
}
