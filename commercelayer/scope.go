package commercelayer

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// ScopePart is one part of a scope, made by one of the functions that return it.
type ScopePart struct{ resource, by, value string }

// MarketID is the market with this id.
func MarketID(id string) ScopePart { return ScopePart{"market", "id", id} }

// MarketCode is the market with this code.
func MarketCode(code string) ScopePart { return ScopePart{"market", "code", code} }

// StoreID is the store with this id.
func StoreID(id string) ScopePart { return ScopePart{"store", "id", id} }

// StoreCode is the store with this code.
func StoreCode(code string) ScopePart { return ScopePart{"store", "code", code} }

// StockLocationID is the stock location with this id. Its market must be in the
// scope too.
func StockLocationID(id string) ScopePart { return ScopePart{"stock_location", "id", id} }

// StockLocationCode is the stock location with this code. Its market must be in
// the scope too.
func StockLocationCode(code string) ScopePart { return ScopePart{"stock_location", "code", code} }

// String is the part as it stands in a scope.
func (p ScopePart) String() string { return p.resource + ":" + p.by + ":" + p.value }

// Scope puts parts together to a scope such as "market:id:xYZkjABcde". It refuses
// what the service would, or would take for something else: no parts, values that
// are empty or have spaces, and a stock location without a market.
func Scope(parts ...ScopePart) (string, error) {
	if len(parts) == 0 {
		return "", errors.New("commercelayer: the scope is empty: pass a MarketID or MarketCode, or set no scope at all")
	}
	has := map[string]bool{}
	texts := make([]string, len(parts))
	for i, p := range parts {
		if p.resource == "" {
			return "", errors.New("commercelayer: the scope has an empty part: make it with MarketID, StoreID, StockLocationID or their like")
		}
		if p.value == "" || strings.ContainsFunc(p.value, func(c rune) bool { return unicode.IsSpace(c) || c < ' ' || c >= 0x7f }) {
			return "", fmt.Errorf("commercelayer: the %s %s in the scope is empty or has a space or odd character: check where it comes from", p.resource, p.by)
		}
		has[p.resource] = true
		texts[i] = p.String()
	}
	if has["stock_location"] && !has["market"] {
		return "", errors.New("commercelayer: the scope has a stock location without its market, which the service refuses: add MarketID or MarketCode")
	}
	return strings.Join(texts, " "), nil
}
