package main

import "strings"

// product is something to buy.
type product struct {
	Code, Name, Price string
	Art               art
}

type catalogPage struct {
	Products []product
	More     int // that are not on the page
}

// catalog shows what the market sells.
func (v *visit) catalog() error {
	doc, err := v.market.get(v.r.Context(), "/api/skus?page[size]=25&include=prices&fields[skus]=code,name,prices&fields[prices]=sku_code,formatted_amount")
	if err != nil {
		return err
	}
	prices := map[string]string{}
	for _, r := range doc.Included {
		p, err := attributes[struct {
			Code  string `json:"sku_code"`
			Price string `json:"formatted_amount"`
		}](r)
		if err != nil {
			return err
		}
		prices[p.Code] = p.Price
	}
	var page catalogPage
	for _, r := range doc.Data {
		sku, err := attributes[struct{ Code, Name string }](r)
		if err != nil {
			return err
		}
		page.Products = append(page.Products, product{sku.Code, sku.Name, prices[sku.Code], artOf(sku.Code)})
	}
	page.More = max(0, doc.Meta.RecordCount-len(page.Products))
	if _, err := v.currentCart(); err != nil {
		return err
	}
	return v.render("catalog", v.market.Name, page)
}

// art is which drawing stands for an SKU.
type art struct{ Kind, Tone, Size string }

// artOf tells by the code: SHIRT-M is a shirt with an M on it. What has no drawing
// is a parcel.
func artOf(code string) art {
	kind, variant, _ := strings.Cut(strings.ToLower(code), "-")
	a := art{Kind: "parcel"}
	switch kind {
	case "mug", "shirt", "hoodie", "cap", "bag", "poster", "notebook", "stickers":
		a.Kind = kind
	}
	switch variant {
	case "white", "black":
		a.Tone = variant
	case "s", "m", "l", "xl":
		a.Size = strings.ToUpper(variant)
	}
	return a
}
