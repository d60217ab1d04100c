package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// file is the configuration file. What it leaves out keeps its default.
type file struct {
	Addr   *string `json:"addr"`
	Domain *string `json:"domain"`
	TLS    *bool   `json:"tls"`
	CAOut  *string `json:"ca_out"`
	Log    *string `json:"log"`

	RateLimit          *int     `json:"rate_limit"`
	BackendAuth        string   `json:"backend_auth"`
	RenewWithin        duration `json:"renew_within"`
	RefreshTokenLife   duration `json:"refresh_token_life"`
	ReusePasswordToken bool     `json:"reuse_password_token"`
	RequestLog         int      `json:"request_log"`

	Organization organization  `json:"organization"`
	Applications []application `json:"applications"`
	Customers    []customer    `json:"customers"`
	Markets      []market      `json:"markets"`
	SKUs         []sku         `json:"skus"`
}

type organization struct {
	ID       string `json:"id"`
	Slug     string `json:"slug"`
	Name     string `json:"name"`
	Region   string `json:"region"`
	Standard bool   `json:"standard"`
	Live     bool   `json:"live"`
}

type application struct {
	Kind         commercelayertest.Kind `json:"kind"`
	ClientID     string                 `json:"client_id"`
	ClientSecret string                 `json:"client_secret"`
	ID           string                 `json:"id"`
	TokenLife    duration               `json:"token_life"`
	RedirectURIs []string               `json:"redirect_uris"`
	UserID       string                 `json:"user_id"`
}

type customer struct {
	Email      string    `json:"email"`
	Password   string    `json:"password"`
	ID         string    `json:"id"`
	Addresses  []address `json:"addresses"`
	PastOrders int       `json:"past_orders"`
}

// address has the names of the API's attributes.
type address struct {
	ID          string `json:"id"`
	FirstName   string `json:"first_name"`
	LastName    string `json:"last_name"`
	Company     string `json:"company"`
	Line1       string `json:"line_1"`
	Line2       string `json:"line_2"`
	City        string `json:"city"`
	ZipCode     string `json:"zip_code"`
	StateCode   string `json:"state_code"`
	CountryCode string `json:"country_code"`
	Phone       string `json:"phone"`
}

type place struct {
	Code string `json:"code"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

type market struct {
	Code           string  `json:"code"`
	ID             string  `json:"id"`
	Name           string  `json:"name"`
	CurrencyCode   string  `json:"currency_code"`
	Disabled       bool    `json:"disabled"`
	StockLocations []place `json:"stock_locations"`
	Stores         []place `json:"stores"`
}

type sku struct {
	Code        string           `json:"code"`
	ID          string           `json:"id"`
	Name        string           `json:"name"`
	Description string           `json:"description"`
	ImageURL    string           `json:"image_url"`
	Prices      map[string]int64 `json:"prices"` // in cents
}

var durationType = reflect.TypeFor[duration]()

// duration is written as "90m" or "336h".
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// readConfig adds what a file says to the settings.
func readConfig(name string, s *settings) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	f, err := parseConfig(raw)
	if err != nil {
		return fmt.Errorf("configuration %s: %w", name, err)
	}
	f.apply(s)
	return nil
}

// parseConfig reads a file strictly, and says where it is wrong. It does not
// repeat what stands there: it may be a secret.
func parseConfig(raw []byte) (*file, error) {
	var f file
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, located(raw, d.InputOffset(), err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: there is more after the object: end the file there", position(raw, d.InputOffset()))
	}
	return &f, nil
}

// located says where in the file an error of encoding/json is.
func located(raw []byte, offset int64, err error) error {
	syntax, wrongType := (*json.SyntaxError)(nil), (*json.UnmarshalTypeError)(nil)
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the file is empty: write {} for the defaults")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: the file ends too early: is a bracket missing?", position(raw, int64(len(raw))+1))
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: this is not JSON", position(raw, syntax.Offset))
	case errors.As(err, &wrongType):
		return fmt.Errorf("%s: %s has the wrong type: it is %s", position(raw, wrongType.Offset), wrongType.Field, kindOf(wrongType))
	}
	if _, field, ok := strings.Cut(err.Error(), "unknown field "); ok {
		at := int64(bytes.Index(raw, []byte(field)))
		if at < 0 {
			at = offset
		}
		return fmt.Errorf("%s: there is no field %s: check its spelling", position(raw, at+1), field)
	}
	return fmt.Errorf("%s: a duration here is not one such as \"90m\" or \"336h\"", position(raw, offset))
}

// kindOf says in JSON's words what a field has to be.
func kindOf(err *json.UnmarshalTypeError) string {
	if err.Type == nil {
		return "something else"
	}
	switch kind := err.Type.Kind().String(); {
	case err.Type == durationType:
		return `a text such as "90m"`
	case kind == "string":
		return "a text"
	case strings.HasPrefix(kind, "int"):
		return "a whole number"
	case kind == "bool":
		return "true or false"
	case kind == "slice":
		return "a list"
	}
	return "an object"
}

// position counts lines and columns from 1.
func position(raw []byte, offset int64) string {
	before := raw[:max(0, min(offset-1, int64(len(raw))))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("line %d, column %d", line, column)
}

func (f *file) apply(s *settings) {
	set(&s.addr, f.Addr)
	set(&s.options.Domain, f.Domain)
	set(&s.tls, f.TLS)
	set(&s.caOut, f.CAOut)
	set(&s.log, f.Log)
	o := &s.options
	set(&o.RateLimit, f.RateLimit)
	o.BackendAuth = f.BackendAuth
	o.RenewWithin = time.Duration(f.RenewWithin)
	o.RefreshTokenLife = time.Duration(f.RefreshTokenLife)
	o.ReusePasswordToken = f.ReusePasswordToken
	o.RequestLog = f.RequestLog
	o.Organization = commercelayertest.Organization(f.Organization)
	o.Applications = convert(f.Applications, func(a application) commercelayertest.Application {
		return commercelayertest.Application{
			Kind: a.Kind, ClientID: a.ClientID, ClientSecret: a.ClientSecret, ID: a.ID,
			TokenLife: time.Duration(a.TokenLife), RedirectURIs: a.RedirectURIs, UserID: a.UserID,
		}
	})
	o.Customers = convert(f.Customers, func(c customer) commercelayertest.Customer {
		return commercelayertest.Customer{
			Email: c.Email, Password: c.Password, ID: c.ID, PastOrders: c.PastOrders,
			Addresses: convert(c.Addresses, func(a address) commercelayertest.Address { return commercelayertest.Address(a) }),
		}
	})
	o.Markets = convert(f.Markets, func(m market) commercelayertest.Market {
		return commercelayertest.Market{
			Code: m.Code, ID: m.ID, Name: m.Name, CurrencyCode: m.CurrencyCode, Disabled: m.Disabled,
			StockLocations: convert(m.StockLocations, func(p place) commercelayertest.StockLocation {
				return commercelayertest.StockLocation(p)
			}),
			Stores: convert(m.Stores, func(p place) commercelayertest.Store { return commercelayertest.Store(p) }),
		}
	})
	o.SKUs = convert(f.SKUs, func(k sku) commercelayertest.SKU { return commercelayertest.SKU(k) })
}

// set takes over a value that the file has.
func set[T any](into *T, value *T) {
	if value != nil {
		*into = *value
	}
}

// convert keeps nil, which stands for the default, apart from an empty list.
func convert[F, T any](list []F, to func(F) T) []T {
	if list == nil {
		return nil
	}
	converted := make([]T, len(list))
	for i := range list {
		converted[i] = to(list[i])
	}
	return converted
}
