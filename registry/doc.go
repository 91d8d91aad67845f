// Package registry keeps what platforms that sell each other's works must agree
// on: which contract hashes are registered and by whom, what was sold, the
// royalty that each sale owes, where copies are kept, and who pays whom at the
// end of a month.
//
// A [Service] works on a [Store], without HTTP:
//
//	service, err := registry.New(registry.Config{Store: memory.New()})
//	...
//	applied, err := service.Apply(ctx, registry.Application{Name: "Ada", Email: "ada@example.com", ...})
//	approved, err := service.Approve(ctx, "admin:me", applied.ID, registry.Decision{})
//	platform, err := service.Authenticate(ctx, approved.APIKey)
//	_, err = service.RegisterContracts(ctx, platform, registry.Registration{
//		IPFSHash: "QmTest123", MetadataCID: "QmMeta456", ContractHashes: []string{"hash1", "hash2"},
//	})
//	reported, err := service.ReportSale(ctx, seller, registry.SaleReport{
//		ContractHash: "hash1", SaleAmount: registry.Dollars(29_99), RoyaltyAmount: registry.Dollars(2_99),
//	})
//
// [Service.Handler] serves the same as JSON over HTTP, at the paths of
// openapi.yaml, to platforms by their API key and to admins by Config.Admin.
//
// # What is true at any time
//
//   - A contract hash is registered once, by one platform, for good: a revoked
//     one stays taken. A batch is registered whole or not at all. Once a revocation
//     was answered, no sale or mirror of the contract appears.
//   - A sale is stored with its royalty, or neither is. The same report again,
//     by its idempotency key or its transaction hash, counts once.
//   - Amounts are integer cents. Limits are checked before a number is rounded;
//     the parts of a royalty add up to it.
//   - A royalty is in one live settlement at most. What was issued never
//     changes: voiding a sale takes its royalty back in the next settlement. One
//     payment in stablecoin closes one settlement.
//   - Every change is in the audit log, and what others must hear is in the
//     outbox of the store, saved with the change.
//
// # Settlement
//
// [Service.RunSettlements] nets a period: each pair of platforms for itself, or
// all of them together with few transfers. It takes all royalties that are
// pending and due before the end of the period, also those that were reported
// late or carried forward because they were too small. The sums are made by the
// store. Whoever owes pays outside and gives a reference, and whoever is owed
// confirms; or the payer pays a guarded URL in stablecoin, which closes the
// settlement: see [Till]. A disputed settlement is decided by an admin.
//
// # Callbacks
//
// A platform with an api_endpoint is told what concerns it: contracts that it
// registered, sold or mirrors and that were revoked, sales of its works, its
// settlements. This package sends nothing. [Service.Audience] says for an event of
// the outbox which platforms are told, and [Service.Callback] where and with which
// secrets; package facilitator/webhook signs, sends and tries again. A secret is
// shown once, to the platform alone, and for a day after a rotation two are live.
//
// # At scale
//
// To validate a contract and to report a sale are indexed reads and writes; how they
// grow from 1,000 to 1,000,000 contracts and sales is the ratio that
// BenchmarkRegistryAtScale in store/sqlite reports. To net 1,000,000 royalties among
// 200 platforms the database adds up: on two cores a dry run took 2 s and an issue
// 8 to 9 s, with about 50 MiB of heap (BenchmarkNetting).
//
// While a run is issued other writers of a SQLite file wait for it, and fail only if
// that takes more than a minute; those of PostgreSQL do not wait. A run is one
// transaction on purpose: in steps of a few thousand royalties others would get their
// turn between them, but every void, dispute, list and sum would have to tell a
// royalty that a run has begun to take from one that it has taken, and somebody would
// have to undo what a process left behind that ended half-way; and to confirm or
// cancel a multilateral run moves all of its royalties once more. Whoever has so many
// on SQLite nets shorter periods: the wait is in proportion to what one run takes.
//
// # Secrets
//
// Of API keys a hash is stored, of passwords bcrypt. Tax numbers, bank details and
// callback secrets are sealed with Config.EncryptionKey; each read of the former
// two is audited first, and lists never have account or routing numbers. To change
// the key, put the old one into Config.OldEncryptionKeys.
//
// # Errors
//
// A [ValidationError] has all that is wrong with an input, by field. An [Error] is
// a refusal, one of the Err values. Whatever else is returned is ours to mend.
package registry
