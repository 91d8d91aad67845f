package catalog

import (
	"net/http"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
)

// Pages of products.
const (
	defaultSize  = 20
	maxSize      = 100
	maxAdminSize = 200
	maxSearch    = 200     // characters
	maxBatchBody = 8 << 20 // bytes, of POST /providers/products/batch
	productPath  = "/api/v1/providers/products/{id}"
	productsPath = "/api/v1/providers/products"
)

func (a *api) routeProducts(rt *v402api.Router) {
	rt.Handle("POST "+productsPath, a.provider(a.postProduct))
	rt.Handle("GET "+productsPath, a.provider(a.getProducts))
	rt.Handle("POST "+productsPath+"/batch", a.provider(a.postProducts))
	rt.Handle("GET "+productPath, a.provider(a.getProduct))
	rt.Handle("PUT "+productPath, a.provider(a.putProduct))
	rt.Handle("DELETE "+productPath, a.provider(a.deleteProduct))
	rt.Handle("POST "+productPath+"/publish", a.provider(a.postPublish))
	rt.Handle("POST "+productPath+"/unpublish", a.provider(a.postUnpublish))
}

func (a *api) postProduct(w http.ResponseWriter, r *http.Request, u account.User) error {
	var in Draft
	if err := v402api.Read(r, v402api.MaxBody, &in); err != nil {
		return err
	}
	p, err := a.CreateProduct(r.Context(), u, in)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusCreated, viewProduct(p))
}

// createdView lists what a batch has made, in its order.
type createdView struct {
	Items []productView `json:"items"`
	Total int           `json:"total"`
}

func (a *api) postProducts(w http.ResponseWriter, r *http.Request, u account.User) error {
	var in struct {
		Products []Draft `json:"products"`
	}
	if err := v402api.Read(r, maxBatchBody, &in); err != nil {
		return err
	}
	list, err := a.CreateProducts(r.Context(), u, in.Products)
	if err != nil {
		return err
	}
	out := createdView{Items: make([]productView, len(list)), Total: len(list)}
	for i, p := range list {
		out.Items[i] = viewProduct(p)
	}
	return v402api.JSON(w, http.StatusCreated, out)
}

func (a *api) getProducts(w http.ResponseWriter, r *http.Request, u account.User) error {
	q := v402api.QueryOf(r)
	f := filterOf(q)
	f.OwnerID = u.ID
	page := q.Page(defaultSize, maxSize)
	if err := q.Err(); err != nil {
		return err
	}
	list, err := a.Products(r.Context(), f, page)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, v402api.PageOf(list, viewProduct))
}

// filterOf reads what lists of products are filtered and sorted by.
func filterOf(q *v402api.Query) ProductFilter {
	f := ProductFilter{
		Status: v402api.OneOf(q, "status", productStatuses...), Category: q.Text("category", maxShort), Search: q.Text("search", maxSearch),
	}
	by, descending := q.Sort(string(ByCreated), string(ByUpdated), string(ByTitle), string(ByPrice), string(ByViews), string(ByPurchases),
		string(ByRating), string(ByPublished))
	f.Sort, f.Upward = ProductSort(by), !descending
	return f
}

func (a *api) getProduct(w http.ResponseWriter, r *http.Request, u account.User) error {
	p, err := a.OwnProduct(r.Context(), u, r.PathValue("id"))
	return answerProduct(w, p, err)
}

func (a *api) putProduct(w http.ResponseWriter, r *http.Request, u account.User) error {
	var in ProductUpdate
	if err := v402api.Read(r, v402api.MaxBody, &in); err != nil {
		return err
	}
	p, err := a.UpdateProduct(r.Context(), u, r.PathValue("id"), in)
	return answerProduct(w, p, err)
}

func (a *api) postPublish(w http.ResponseWriter, r *http.Request, u account.User) error {
	p, err := a.Publish(r.Context(), u, r.PathValue("id"))
	return answerProduct(w, p, err)
}

func (a *api) postUnpublish(w http.ResponseWriter, r *http.Request, u account.User) error {
	p, err := a.Unpublish(r.Context(), u, r.PathValue("id"))
	return answerProduct(w, p, err)
}

func answerProduct(w http.ResponseWriter, p Product, err error) error {
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, viewProduct(p))
}

// deletedView says what was deleted, and how.
type deletedView struct {
	Message   string `json:"message"`
	ProductID string `json:"product_id"`
	Soft      bool   `json:"soft_delete"`
}

func (a *api) deleteProduct(w http.ResponseWriter, r *http.Request, u account.User) error {
	q := v402api.QueryOf(r)
	soft, given := q.MaybeBool("soft_delete")
	if err := q.Err(); err != nil {
		return err
	}
	soft = soft || !given
	id := r.PathValue("id")
	var err error
	if soft {
		_, err = a.DeleteProduct(r.Context(), u, id)
	} else {
		err = a.EraseProduct(r.Context(), u, id)
	}
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, deletedView{"Product deleted", id, soft})
}
