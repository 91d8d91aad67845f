package catalog

import (
	"net/http"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/x402"
)

const walletPath = "/api/v1/providers/wallets/{chain}"

func (a *api) routeWallets(rt *v402api.Router) {
	rt.Handle("GET /api/v1/providers/wallets", a.provider(a.getWallets))
	rt.Handle("PUT "+walletPath, a.provider(a.putWallet))
	rt.Handle("DELETE "+walletPath, a.provider(a.deleteWallet))
}

// walletView is where a provider is paid.
type walletView struct {
	Chain     string       `json:"chain"`
	Network   x402.Network `json:"network"`
	Address   string       `json:"address"`
	UpdatedAt v402api.Time `json:"updated_at"`
}

func viewWallet(w Wallet) walletView {
	return walletView{ChainName(w.Network), w.Network, w.Address, v402api.Time(w.UpdatedAt)}
}

type walletsView struct {
	Items []walletView `json:"items"`
	Total int          `json:"total"`
}

func (a *api) getWallets(w http.ResponseWriter, r *http.Request, u account.User) error {
	list, err := a.Wallets(r.Context(), u.ID)
	if err != nil {
		return err
	}
	out := walletsView{Items: make([]walletView, len(list)), Total: len(list)}
	for i, wallet := range list {
		out.Items[i] = viewWallet(wallet)
	}
	return v402api.JSON(w, http.StatusOK, out)
}

func (a *api) putWallet(w http.ResponseWriter, r *http.Request, u account.User) error {
	var in struct {
		Address string `json:"address"`
	}
	if err := v402api.Read(r, v402api.MaxBody, &in); err != nil {
		return err
	}
	n, err := pathChain(r)
	if err != nil {
		return err
	}
	wallet, err := a.SetWallet(r.Context(), u, n, in.Address)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, viewWallet(wallet))
}

func (a *api) deleteWallet(w http.ResponseWriter, r *http.Request, u account.User) error {
	n, err := pathChain(r)
	if err != nil {
		return err
	}
	if err := a.RemoveWallet(r.Context(), u, n); err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, struct {
		Message string `json:"message"`
		Chain   string `json:"chain"`
	}{"Wallet removed", ChainName(n)})
}

// pathChain is the chain that the path names.
func pathChain(r *http.Request) (x402.Network, error) {
	n, err := ParseChain(r.PathValue("chain"))
	if err != nil {
		return "", v402api.Invalid("chain", v402api.InvalidEnum, "chain must be the name of a chain, such as base, or a CAIP-2 network")
	}
	return n, nil
}
