package commercelayertest

import (
	"errors"
	"fmt"
	"strings"
)

// Address is an entry of a customer's address book. At the API it is two
// resources: the address itself, and the customer address that says whose it is.
type Address struct {
	// ID is the address's id at the API. Default: made of the customer's id and
	// the place in the list.
	ID string

	FirstName string
	LastName  string
	// Company makes the address a business's, which needs no FirstName and
	// LastName.
	Company string
	Line1   string
	Line2   string // may be empty
	City    string
	ZipCode string // may be empty
	// StateCode is the state, province or region, and CountryCode the country
	// (ISO 3166-1, two capital letters).
	StateCode   string
	CountryCode string
	Phone       string
}

func (a *Address) validate() error {
	for _, field := range []struct{ name, value string }{
		{"Line1", a.Line1}, {"City", a.City}, {"StateCode", a.StateCode}, {"Phone", a.Phone},
	} {
		if field.value == "" {
			return fmt.Errorf("%s is empty: the service takes no address without one", field.name)
		}
	}
	if a.Company == "" && (a.FirstName == "" || a.LastName == "") {
		return errors.New("FirstName or LastName is empty: give both, or a Company")
	}
	if len(a.CountryCode) != 2 || strings.Trim(a.CountryCode, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return fmt.Errorf("CountryCode %q: use two capital letters, such as IT", a.CountryCode)
	}
	return nil
}

// fullName is whose address it is.
func (a *Address) fullName() string {
	if a.Company != "" {
		return a.Company
	}
	return a.FirstName + " " + a.LastName
}

// full is the address in one line, without the name.
func (a *Address) full() string {
	street := strings.TrimSpace(a.Line1 + " " + a.Line2)
	town := strings.TrimSpace(a.ZipCode + " " + a.City)
	return fmt.Sprintf("%s, %s %s (%s) %s", street, town, a.StateCode, a.CountryCode, a.Phone)
}

// eachAddress calls do for each address that somebody sees: all for the staff,
// their own for a customer.
func (s *shop) eachAddress(who access, do func(*Customer, *Address)) {
	for i := range s.opts.Customers {
		c := &s.opts.Customers[i]
		if who.role == roleStaff || who.role == roleCustomer && who.owner.ID == c.ID {
			for k := range c.Addresses {
				do(c, &c.Addresses[k])
			}
		}
	}
}

func (s *shop) addresses(who access) []resource {
	var list []resource
	s.eachAddress(who, func(_ *Customer, a *Address) { list = append(list, s.addressResource(a)) })
	return list
}

func (s *shop) addressResource(a *Address) resource {
	return resource{ID: a.ID, Type: "addresses", Attributes: s.common(attributes{
		"business": a.Company != "", "first_name": nullable(a.FirstName), "last_name": nullable(a.LastName),
		"company": nullable(a.Company), "full_name": a.fullName(),
		"line_1": a.Line1, "line_2": nullable(a.Line2), "city": a.City, "zip_code": nullable(a.ZipCode),
		"state_code": a.StateCode, "country_code": a.CountryCode, "phone": a.Phone,
		"full_address": a.full(), "name": a.fullName() + ", " + a.full(),
		"email": nil, "notes": nil, "lat": nil, "lng": nil, "is_localized": false, "is_geocoded": false,
		"provider_name": nil, "map_url": nil, "static_map_url": nil, "billing_info": nil,
	}, s.born, s.born)}
}

func (s *shop) customerAddresses(who access) []resource {
	var list []resource
	s.eachAddress(who, func(c *Customer, a *Address) { list = append(list, s.entryResource(who, c, a)) })
	return list
}

// entryResource writes the entry of a customer's address book out.
func (s *shop) entryResource(who access, c *Customer, a *Address) resource {
	return resource{
		ID: publicID("customer_addresses", a.ID), Type: "customer_addresses",
		Attributes: s.common(attributes{"name": a.fullName() + ", " + a.full(), "customer_email": c.Email}, s.born, s.born),
		related: map[string]relation{
			"customer": {to: "customers", one: true, list: func() []resource { return only(s.customers(who), c.ID) }},
			"address":  {to: "addresses", one: true, list: func() []resource { return []resource{s.addressResource(a)} }},
		},
	}
}

// addressBook leads from a customer to the entries of the address book.
func (s *shop) addressBook(who access, c *Customer) relation {
	return relation{to: "customer_addresses", list: func() []resource {
		var list []resource
		for i := range c.Addresses {
			list = append(list, s.entryResource(who, c, &c.Addresses[i]))
		}
		return list
	}}
}
