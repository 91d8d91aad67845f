// Package v402api is what the domains behind /api/v1 share: the form of answers
// and errors, reading bodies and queries, routing, and rate limits.
//
// A handler returns an error, and [API] answers it:
//
//	api := &v402api.API{Logger: log, Limits: limits}
//	rt := api.Router()
//	rt.Handle("GET /api/v1/things/{id}", api.Public(v402api.Anonymous, func(w http.ResponseWriter, r *http.Request) error {
//		thing, err := service.Thing(r.Context(), r.PathValue("id"))
//		if err != nil {
//			return err // an *Error is told to the client, all else is logged
//		}
//		return v402api.JSON(w, http.StatusOK, viewThing(thing))
//	}))
package v402api
