package commercelayertest

import (
	"slices"
	"strings"
)

// scope is a scope that has been understood.
type scope struct {
	text      string
	markets   []*Market
	locations []*StockLocation
}

const (
	scopeAll  = "market:all"
	scopeUser = "provisioning-api metrics-api"
)

// narrow tells whether the scope names a market.
func (s scope) narrow() bool { return len(s.markets) > 0 }

func (s scope) marketIDs() []string {
	ids := []string{}
	for _, m := range s.markets {
		ids = append(ids, m.ID)
	}
	return ids
}

// stockLocationIDs are those that the scope names, else all of its markets.
func (s scope) stockLocationIDs() []string {
	ids := []string{}
	for _, l := range s.locations {
		ids = append(ids, l.ID)
	}
	if len(ids) > 0 {
		return ids
	}
	for _, m := range s.markets {
		for _, l := range m.StockLocations {
			ids = append(ids, l.ID)
		}
	}
	return ids
}

// parseScope reads a scope for an application; why says what is wrong with it.
// An empty text asks for the widest one.
func (o *Options) parseScope(app *Application, text string) (s scope, why string) {
	if app.Kind == User {
		return userScope(text)
	}
	if text == "" || text == scopeAll {
		return scope{text: scopeAll}, ""
	}
	s.text = text
	var locations []string
	for item := range strings.SplitSeq(text, " ") {
		resource, rest, _ := strings.Cut(item, ":")
		by, value, _ := strings.Cut(rest, ":")
		if value == "" || by != "id" && by != "code" {
			return scope{}, "A scope is market, store or stock_location, then :id: or :code:, then a value; several are separated by one space."
		}
		named := func(id, code string) bool { return by == "id" && id == value || by == "code" && code == value }
		var market *Market
		switch resource {
		case "market":
			market = o.findMarket(func(m *Market) bool { return named(m.ID, m.Code) })
		case "store":
			market = o.findMarket(func(m *Market) bool {
				return slices.ContainsFunc(m.Stores, func(s Store) bool { return named(s.ID, s.Code) })
			})
		case "stock_location":
			// Its market may come later in the scope.
			locations = append(locations, by+":"+value)
			continue
		default:
			return scope{}, "A scope names a market, a store or a stock_location."
		}
		if market == nil {
			return scope{}, "The " + resource + " in scope does not exist, or is disabled."
		}
		if !slices.Contains(s.markets, market) {
			s.markets = append(s.markets, market)
		}
	}
	return s.withLocations(locations)
}

// withLocations adds the stock locations that a scope names.
func (s scope) withLocations(names []string) (scope, string) {
	for _, name := range names {
		if len(s.markets) == 0 {
			return scope{}, "A stock location in scope needs its market in scope."
		}
		found := false
		for _, m := range s.markets {
			for i := range m.StockLocations {
				if l := &m.StockLocations[i]; name == "id:"+l.ID || name == "code:"+l.Code {
					s.locations = append(s.locations, l)
					found = true
				}
			}
		}
		if !found {
			return scope{}, "The stock location in scope does not belong to the market in scope."
		}
	}
	return s, ""
}

func (o *Options) findMarket(is func(*Market) bool) *Market {
	for i := range o.Markets {
		if m := &o.Markets[i]; !m.Disabled && is(m) {
			return m
		}
	}
	return nil
}

// userScope reads the scope of a provisioning application.
func userScope(text string) (scope, string) {
	if text == "" {
		return scope{text: scopeUser}, ""
	}
	words := strings.Split(text, " ")
	for _, word := range words {
		if word != "provisioning-api" && word != "metrics-api" {
			return scope{}, "The scope of a provisioning application is provisioning-api, metrics-api or both."
		}
	}
	if !slices.Contains(words, "provisioning-api") {
		return scope{}, "The scope of a provisioning application contains provisioning-api."
	}
	return scope{text: text}, ""
}
