package catalog

// User is who sends a request.
type User struct {
	ID     string
	Role   string
	Status string
}
