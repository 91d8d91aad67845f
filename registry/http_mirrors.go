package registry

import (
	"net/http"

	"github.com/v402/v402/internal/web"
)

func (a *api) routeMirrors(rt *web.Router) {
	rt.Handle("POST /api/mirrors", a.platform(a.postMirror))
	rt.Handle("GET /api/mirrors", a.platform(a.getMirrors))
	rt.Handle("POST /api/mirrors/{id}/access", a.platform(a.postAccess))
	rt.Handle("DELETE /api/mirrors/{id}", a.platform(a.deleteMirror))
	rt.Handle("GET /api/mirrors/{ipfsHash...}", a.platform(a.getMirrorsOf))
}

// mirroredView is the answer to a report of a mirror.
type mirroredView struct {
	MirrorID         int64   `json:"mirror_id"`
	ContractHash     string  `json:"contract_hash"`
	IPFSHash         string  `json:"ipfs_hash"`
	MirroredIPFSHash string  `json:"mirrored_ipfs_hash"`
	MirrorLocation   *string `json:"mirror_location"`
	AccessCount      int64   `json:"access_count"`
	MirroredAt       stamp   `json:"mirrored_at"`
	Action           string  `json:"action"` // created or updated
}

// postMirror answers 201 also to an update; action tells.
func (a *api) postMirror(w http.ResponseWriter, r *http.Request, p Platform) error {
	var in MirrorReport
	if err := read(r, maxForm, &in); err != nil {
		return err
	}
	m, created, err := a.ReportMirror(r.Context(), p, in)
	if err != nil {
		return err
	}
	action := "updated"
	if created {
		action = "created"
	}
	return a.succeed(w, http.StatusCreated, "Content mirror "+action+" successfully", mirroredView{
		MirrorID: m.ID, ContractHash: m.ContractHash, IPFSHash: m.IPFSHash, MirroredIPFSHash: m.MirroredIPFSHash,
		MirrorLocation: orNull(m.Location), AccessCount: m.AccessCount, MirroredAt: stamp(m.MirroredAt), Action: action,
	})
}

// copyView is a mirror in the list of a publication's.
type copyView struct {
	MirrorID         int64   `json:"mirror_id"`
	MirroredIPFSHash string  `json:"mirrored_ipfs_hash"`
	MirrorLocation   *string `json:"mirror_location"`
	PlatformName     string  `json:"platform_name"`
	AccessCount      int64   `json:"access_count"`
	LastAccessedAt   stamp   `json:"last_accessed_at"`
	MirroredAt       stamp   `json:"mirrored_at"`
}

func viewCopy(m Mirror) copyView {
	return copyView{m.ID, m.MirroredIPFSHash, orNull(m.Location), m.PlatformName, m.AccessCount, stamp(m.LastAccessedAt), stamp(m.MirroredAt)}
}

// copiesView are the mirrors of a publication. TotalMirrors counts those too that
// are beyond the list's bound.
type copiesView struct {
	IPFSHash     string     `json:"ipfs_hash"`
	Mirrors      []copyView `json:"mirrors"`
	TotalMirrors int64      `json:"total_mirrors"`
}

func (a *api) getMirrorsOf(w http.ResponseWriter, r *http.Request, _ Platform) error {
	hash := r.PathValue("ipfsHash")
	list, total, err := a.PublicationMirrors(r.Context(), hash)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Mirrors retrieved successfully", copiesView{hash, views(list, viewCopy), total})
}

// mirrorView is a mirror in a list over publications.
type mirrorView struct {
	copyView
	ContractHash string `json:"contract_hash"`
	IPFSHash     string `json:"ipfs_hash"`
	PlatformID   int64  `json:"platform_id"`
	UpdatedAt    stamp  `json:"updated_at"`
}

func viewMirror(m Mirror) mirrorView {
	return mirrorView{viewCopy(m), m.ContractHash, m.IPFSHash, m.PlatformID, stamp(m.UpdatedAt)}
}

func (a *api) getMirrors(w http.ResponseWriter, r *http.Request, p Platform) error {
	q := queryOf(r)
	f, o := MirrorFilter{IPFSHash: q.text("ipfs_hash")}, q.page()
	if q.flag("mine") {
		f.PlatformID = p.ID
	}
	if err := q.err(); err != nil {
		return err
	}
	l, err := a.Mirrors(r.Context(), f, o)
	if err != nil {
		return err
	}
	return page(a, w, "Mirrors retrieved successfully", l, viewMirror)
}

func (a *api) postAccess(w http.ResponseWriter, r *http.Request, _ Platform) error {
	id, err := pathID(r, ErrMirrorUnknown)
	if err != nil {
		return err
	}
	m, err := a.CountAccess(r.Context(), id)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Mirror access recorded successfully", viewMirror(m))
}

// removedView names a mirror that is no more.
type removedView struct {
	MirrorID int64 `json:"mirror_id"`
}

func (a *api) deleteMirror(w http.ResponseWriter, r *http.Request, p Platform) error {
	id, err := pathID(r, ErrMirrorUnknown)
	if err != nil {
		return err
	}
	if err := a.DeleteMirror(r.Context(), p, id); err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Mirror removed successfully", removedView{id})
}
