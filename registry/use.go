package registry

import (
	"context"
	"errors"
	"net/http"
)

var errLater = errors.ErrUnsupported

// Apply stores an application. Its e-mail must be free.
func (s *Service) Apply(ctx context.Context, a Application) (Platform, error) {
	return Platform{}, errLater
}

// ApplicationStatus returns the newest application with the e-mail; ErrApplicationUnknown.
func (s *Service) ApplicationStatus(ctx context.Context, email string) (Platform, error) {
	return Platform{}, errLater
}

// Authenticate returns the active platform that has the API key; ErrInvalidKey, ErrPlatformInactive.
func (s *Service) Authenticate(ctx context.Context, apiKey string) (Platform, error) {
	return Platform{}, errLater
}

// Applications lists applications for an admin; the read of their tax numbers is audited.
func (s *Service) Applications(ctx context.Context, actor string, status PlatformStatus, page PageOptions) (List[ApplicationView], error) {
	return List[ApplicationView]{}, errLater
}

// PendingApplications lists all that is pending, the oldest first, for an admin.
func (s *Service) PendingApplications(ctx context.Context, actor string) ([]ApplicationView, error) {
	return nil, errLater
}

// Application returns one for an admin; ErrApplicationUnknown.
func (s *Service) Application(ctx context.Context, actor string, id int64) (ApplicationView, error) {
	return ApplicationView{}, errLater
}

// Approve makes a pending application active, with an API key.
func (s *Service) Approve(ctx context.Context, actor string, id int64, d Decision) (Approval, error) {
	return Approval{}, errLater
}

// Reject makes a pending application inactive.
func (s *Service) Reject(ctx context.Context, actor string, id int64, d Decision) (Platform, error) {
	return Platform{}, errLater
}

// Suspend makes an active platform inactive; ErrPlatformUnknown, ErrPlatformState.
func (s *Service) Suspend(ctx context.Context, actor string, id int64, d Decision) (Platform, error) {
	return Platform{}, errLater
}

// Reinstate makes a suspended platform active again, with its key.
func (s *Service) Reinstate(ctx context.Context, actor string, id int64, d Decision) (Platform, error) {
	return Platform{}, errLater
}

// RotateKey gives a platform another API key; the old one is invalid at once. actor is "platform:ID" or an admin.
func (s *Service) RotateKey(ctx context.Context, actor string, id int64) (Approval, error) {
	return Approval{}, errLater
}

// Platform returns one that was approved; ErrPlatformUnknown.
func (s *Service) Platform(ctx context.Context, id int64) (Platform, error) {
	return Platform{}, errLater
}

// Platforms is the directory: platforms that were approved.
func (s *Service) Platforms(ctx context.Context, f PlatformFilter, page PageOptions) (List[Platform], error) {
	return List[Platform]{}, errLater
}

// UpdatePlatform changes a platform's own profile.
func (s *Service) UpdatePlatform(ctx context.Context, p Platform, u PlatformUpdate) (Platform, error) {
	return Platform{}, errLater
}

// Secrets opens a platform's tax number and bank details. The read is audited first, with the reason, such as "statement 12".
func (s *Service) Secrets(ctx context.Context, actor string, id int64, reason string) (Secrets, error) {
	return Secrets{}, errLater
}

// RegisterContracts registers up to 250 contracts, all or none.
func (s *Service) RegisterContracts(ctx context.Context, p Platform, r Registration) ([]Contract, error) {
	return nil, errLater
}

// ValidateContract returns an active contract; ErrContractUnknown for any other. One indexed read. An empty hash is a ValidationError.
func (s *Service) ValidateContract(ctx context.Context, q ContractQuery) (Contract, error) {
	return Contract{}, errLater
}

// Contract returns one in whatever status.
func (s *Service) Contract(ctx context.Context, hash string) (Contract, error) {
	return Contract{}, errLater
}

// Contracts lists contracts: set f.PlatformID for a platform's own.
func (s *Service) Contracts(ctx context.Context, f ContractFilter, page PageOptions) (List[Contract], error) {
	return List[Contract]{}, errLater
}

// Publication counts the contracts of a work; ErrPublicationUnknown.
func (s *Service) Publication(ctx context.Context, ipfsHash string) (Publication, error) {
	return Publication{}, errLater
}

// RevokeContract revokes a contract of p's: ErrContractUnknown, then ErrNotPublisher, then ErrContractRevoked.
func (s *Service) RevokeContract(ctx context.Context, p Platform, hash string, r Revocation) (Contract, error) {
	return Contract{}, errLater
}

// SetTerms replaces the royalty terms of a contract of p's; nil removes them.
func (s *Service) SetTerms(ctx context.Context, p Platform, hash string, u TermsUpdate) (Contract, error) {
	return Contract{}, errLater
}

// QuoteRoyalty says what royalty a sale of an active contract owes; ErrNoTerms if it has no terms.
func (s *Service) QuoteRoyalty(ctx context.Context, hash string, saleAmount Decimal) (Quote, error) {
	return Quote{}, errLater
}

// ReportSale stores a sale by p and its royalty.
func (s *Service) ReportSale(ctx context.Context, p Platform, r SaleReport) (Reported, error) {
	return Reported{}, errLater
}

// ReportSales stores up to 250 sales, all or none. Fields of errors are as "sales.0.sale_amount".
func (s *Service) ReportSales(ctx context.Context, p Platform, reports []SaleReport) ([]Reported, error) {
	return nil, errLater
}

// VoidSale voids a sale that p reported.
func (s *Service) VoidSale(ctx context.Context, p Platform, id int64, r VoidRequest) (Voided, error) {
	return Voided{}, errLater
}

// Sale returns one that p sold or that is of p's contract; ErrSaleUnknown for any other.
func (s *Service) Sale(ctx context.Context, p Platform, id int64) (Sale, error) {
	return Sale{}, errLater
}

// Sales lists sales that p is a party to, whatever f says; f.ContractKey may be a hash as given.
func (s *Service) Sales(ctx context.Context, p Platform, f SaleFilter, page PageOptions) (List[Sale], error) {
	return List[Sale]{}, errLater
}

// EachSale calls each with every sale that Sales would list, the oldest first, without holding them all.
func (s *Service) EachSale(ctx context.Context, p Platform, f SaleFilter, each func(Sale) error) error {
	return errLater
}

// Royalty returns one that p owes or is due; ErrRoyaltyUnknown for any other.
func (s *Service) Royalty(ctx context.Context, p Platform, id int64) (Royalty, error) {
	return Royalty{}, errLater
}

// Royalties lists royalties that p owes or is due, whatever f says.
func (s *Service) Royalties(ctx context.Context, p Platform, f RoyaltyFilter, page PageOptions) (List[Royalty], error) {
	return List[Royalty]{}, errLater
}

// DisputeRoyalty takes a pending royalty out of netting until an admin decides. p is either party.
func (s *Service) DisputeRoyalty(ctx context.Context, p Platform, id int64, r DisputeRequest) (Royalty, error) {
	return Royalty{}, errLater
}

// ResolveDispute makes a disputed royalty pending again, or voided.
func (s *Service) ResolveDispute(ctx context.Context, actor string, id int64, to RoyaltyStatus, reason string) (Royalty, error) {
	return Royalty{}, errLater
}

// ReportMirror creates or updates p's mirror of the contract's publication.
func (s *Service) ReportMirror(ctx context.Context, p Platform, r MirrorReport) (m Mirror, created bool, err error) {
	return Mirror{}, false, errLater
}

// Mirrors lists mirrors of a publication, or of a platform.
func (s *Service) Mirrors(ctx context.Context, f MirrorFilter, page PageOptions) (List[Mirror], error) {
	return List[Mirror]{}, errLater
}

// PublicationMirrors returns all mirrors of a publication, the oldest first; none for an unknown one.
func (s *Service) PublicationMirrors(ctx context.Context, ipfsHash string) ([]Mirror, error) {
	return nil, errLater
}

// CountAccess adds one to a mirror's accesses.
func (s *Service) CountAccess(ctx context.Context, id int64) (Mirror, error) {
	return Mirror{}, errLater
}

// DeleteMirror removes a mirror of p's.
func (s *Service) DeleteMirror(ctx context.Context, p Platform, id int64) error { return errLater }

// Audit lists the audit log for an admin.
func (s *Service) Audit(ctx context.Context, f AuditFilter, page PageOptions) (List[AuditEntry], error) {
	return List[AuditEntry]{}, errLater
}

// Stats counts what there is.
func (s *Service) Stats(ctx context.Context) (Stats, error) { return Stats{}, errLater }

// BearerToken admits to Config.Admin whoever presents the token, as actor.
func BearerToken(actor, token string) func(*http.Request) (string, error) {
	return func(*http.Request) (string, error) { return "", ErrAdminRequired }
}

// Actor names a platform in the audit log: "platform:7".
func (p Platform) Actor() string { return "" }
