package commercelayer_test

import (
	"strings"
	"testing"

	cl "github.com/bearerkit/bearer/commercelayer"
)

func TestScope(t *testing.T) {
	tests := []struct {
		name  string
		parts []cl.ScopePart
		want  string // "": an error
	}{
		{"market", []cl.ScopePart{cl.MarketID("xYZ")}, "market:id:xYZ"},
		{"market by code", []cl.ScopePart{cl.MarketCode("europe")}, "market:code:europe"},
		{"store", []cl.ScopePart{cl.StoreID("bGv")}, "store:id:bGv"},
		{"store by code", []cl.ScopePart{cl.StoreCode("rome")}, "store:code:rome"},
		{"stock location", []cl.ScopePart{cl.MarketID("xYZ"), cl.StockLocationID("WLg")}, "market:id:xYZ stock_location:id:WLg"},
		{"stock location by code", []cl.ScopePart{cl.StockLocationCode("eu"), cl.MarketCode("europe")}, "stock_location:code:eu market:code:europe"},
		{"none", nil, ""},
		{"zero part", []cl.ScopePart{{}}, ""},
		{"empty value", []cl.ScopePart{cl.MarketID("")}, ""},
		{"space", []cl.ScopePart{cl.MarketID("a b")}, ""},
		{"line break", []cl.ScopePart{cl.MarketID("a\n")}, ""},
		{"no-break space", []cl.ScopePart{cl.MarketCode("a\u00a0")}, ""},
		{"stock location alone", []cl.ScopePart{cl.StockLocationID("WLg")}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := cl.Scope(tt.parts...)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("Scope = %q, %v, want %q", got, err, tt.want)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "commercelayer: ") {
				t.Errorf("error = %v, want the package's name before it", err)
			}
		})
	}
}
