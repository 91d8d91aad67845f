package catalog

import (
	"net/http"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
)

const reviewsPath = "/api/v1/clients/products/{id}/reviews"

func (a *api) routeReviews(rt *v402api.Router) {
	rt.Handle("POST "+reviewsPath, a.user(a.postReview))
	rt.Handle("GET "+reviewsPath, a.anyone(a.getReviews))
}

// reviewView is a review as everybody sees it.
type reviewView struct {
	ID        string       `json:"id"`
	ProductID string       `json:"product_id"`
	Author    authorView   `json:"author"`
	Rating    int          `json:"rating"`
	Comment   string       `json:"comment"`
	CreatedAt v402api.Time `json:"created_at"`
	UpdatedAt v402api.Time `json:"updated_at"`
}

type authorView struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func viewReview(r Review) reviewView {
	return reviewView{r.ID, r.ProductID, authorView{r.AuthorID, r.AuthorName}, r.Rating, r.Comment, v402api.Time(r.CreatedAt), v402api.Time(r.UpdatedAt)}
}

// postReview answers 201 to a first review and 200 to a change.
func (a *api) postReview(w http.ResponseWriter, r *http.Request, u account.User) error {
	var in Opinion
	if err := v402api.Read(r, v402api.MaxBody, &in); err != nil {
		return err
	}
	review, created, err := a.Review(r.Context(), u, r.PathValue("id"), in)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return v402api.JSON(w, status, viewReview(review))
}

// reviewsView is a page of reviews under what they come to.
type reviewsView struct {
	v402api.Page[reviewView]
	Rating hundredths `json:"rating"`
}

func (a *api) getReviews(w http.ResponseWriter, r *http.Request, _ account.User) error {
	q := v402api.QueryOf(r)
	page := q.Page(defaultSize, maxSize)
	if err := q.Err(); err != nil {
		return err
	}
	p, err := a.Product(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if !p.OnSale() {
		return ErrProductUnknown
	}
	list, err := a.Reviews(r.Context(), p.ID, page)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, reviewsView{v402api.PageOf(list, viewReview), hundredths(p.Rating())})
}
