package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
	"github.com/v402/v402/x402/payer"
)

// shop is paid by tests that are their own seller.
const shop = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"

// build makes the server's binary once for all tests.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "v402-server")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "server")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// process is a running server.
type process struct {
	cmd      *exec.Cmd
	out      string // what it printed at the start
	url, rpc string
	key      string // of the funded payer
	log      *bytes.Buffer
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := build()
	require.NoError(t, err)
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "V402_DEV_CHAIN_ADDR=127.0.0.1:0")
	return cmd
}

var payCommand = regexp.MustCompile(`go run \./examples/client -rpc (\S+) -key (0x[0-9a-f]{64}) (http://\S+)/demo/quote\n`)

// start starts a server in dev mode and reads its welcome.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: command(t, append([]string{"-addr", "127.0.0.1:0"}, args...)...), log: new(bytes.Buffer)}
	p.cmd.Stderr = p.log
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	lines := bufio.NewReader(stdout)
	for !payCommand.MatchString(p.out) {
		line, err := lines.ReadString('\n')
		require.NoError(t, err, "%s%s", p.out, p.log)
		p.out += line
	}
	go io.Copy(io.Discard, lines)
	found := payCommand.FindStringSubmatch(p.out)
	p.rpc, p.key, p.url = found[1], found[2], found[3]
	return p
}

// stop sends SIGTERM and expects a clean end.
func (p *process) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.wait(t)
}

func (p *process) wait(t *testing.T) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- p.cmd.Wait() }()
	select {
	case err := <-done:
		require.NoError(t, err, "%s", p.log)
	case <-time.After(2 * time.Minute):
		require.Fail(t, "the server does not stop", "%s", p.log)
	}
}

// buy pays for one of the demo routes.
func (p *process) buy(t *testing.T, path string) (body string, settled x402.SettleResponse) {
	t.Helper()
	answer, settled := p.open(t, path)
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(b), settled
}

// open pays, and leaves the body to be read.
func (p *process) open(t *testing.T, path string) (answer *http.Response, settled x402.SettleResponse) {
	t.Helper()
	signer, err := evm.ParseSigner(p.key)
	require.NoError(t, err)
	buyer, err := payer.New(payer.Config{Signers: []payer.Signer{signer}})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, nil)
	require.NoError(t, err)
	answer, err = buyer.Client().Do(r)
	require.NoError(t, err, "%s", p.log)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.NoError(t, x402.DecodeHeader(answer.Header.Get(x402.HeaderPaymentResponse), &settled))
	return answer, settled
}

func (p *process) get(t *testing.T, path string, into any) int {
	t.Helper()
	answer, err := http.Get(p.url + path)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.NoError(t, json.NewDecoder(answer.Body).Decode(into))
	return answer.StatusCode
}

// balance asks the chain for an account's test USDC.
func (p *process) balance(t *testing.T, address string) string {
	t.Helper()
	call := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0x036CbD53842c5426634e7929541eC2318f3dCF7e","data":"0x70a08231%064s"},"latest"]}`,
		strings.ToLower(address[2:]))
	answer, err := http.Post(p.rpc, "application/json", strings.NewReader(call))
	require.NoError(t, err)
	defer answer.Body.Close()
	var got struct{ Result string }
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&got))
	return strings.TrimLeft(strings.TrimPrefix(got.Result, "0x"), "0")
}

// settle makes a payment of $0.01 and hands it to the facilitator, as a seller does.
func (p *process) settle(t *testing.T, payTo string) (id string, settled x402.SettleResponse) {
	t.Helper()
	settled, err := p.trySettle(t.Context(), payTo)
	require.NoError(t, err)
	var extra struct {
		ID string `json:"settlement"`
	}
	require.NoError(t, json.Unmarshal(settled.Extra, &extra))
	return extra.ID, settled
}

func (p *process) trySettle(ctx context.Context, payTo string) (x402.SettleResponse, error) {
	signer, err := evm.ParseSigner(p.key)
	if err != nil {
		return x402.SettleResponse{}, err
	}
	usdc, err := x402.DefaultAssets().Default(x402.BaseSepolia)
	if err != nil {
		return x402.SettleResponse{}, err
	}
	q := usdc.Requirements(x402.NewAmount(10000), payTo)
	signed, err := signer.Sign(ctx, x402.V2, q, time.Now())
	if err != nil {
		return x402.SettleResponse{}, err
	}
	client, err := x402.NewClient(x402.ClientConfig{URL: p.url})
	if err != nil {
		return x402.SettleResponse{}, err
	}
	return client.Settle(ctx, x402.Payment{Payload: x402.PaymentPayload{Version: x402.V2, Accepted: q, Payload: signed}, Requirements: q})
}

type settlement struct{ ID, State, Transaction, Payer, PayTo, Amount string }

func TestTheServerSellsAndStopsAndKeepsItsJournal(t *testing.T) {
	t.Parallel()
	store := "sqlite:" + filepath.Join(t.TempDir(), "v402.db")
	first := start(t, "-store", store)
	body, settled := first.buy(t, "/demo/quote")
	require.True(t, settled.Success)
	require.Len(t, settled.Transaction, 66)
	require.Contains(t, body, settled.Payer)

	id, settled := first.settle(t, shop)
	require.True(t, settled.Success, "%+v", settled)
	require.Equal(t, "2710", first.balance(t, shop))
	var row settlement
	require.Equal(t, 200, first.get(t, "/settlements/"+id, &row))
	require.Equal(t, settlement{ID: id, State: "confirmed", Transaction: settled.Transaction, Payer: settled.Payer, PayTo: shop, Amount: "10000"}, row)
	first.stop(t)

	second := start(t, "-store", store) // with a chain of its own, which starts anew
	var again settlement
	require.Equal(t, 200, second.get(t, "/settlements/"+id, &again))
	require.Equal(t, row, again)
	require.Empty(t, second.balance(t, shop))
	_, settled = second.buy(t, "/demo/quote")
	require.True(t, settled.Success)
	second.stop(t)
}

func TestThePrintedCommandPays(t *testing.T) {
	t.Parallel()
	p := start(t, "-store", "memory:")
	words := strings.Fields(payCommand.FindString(p.out))
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "200")
	require.Regexp(t, "0x[0-9a-f]{64}", string(out), "the transaction")
	require.Contains(t, string(out), "999999.99", "the payer's new balance")
	p.stop(t)
}

func TestAStreamIsPaidForBeforeItsFirstByte(t *testing.T) {
	t.Parallel()
	p := start(t, "-store", "memory:")
	body, settled := p.buy(t, "/demo/stream")
	require.True(t, settled.Success)
	require.True(t, strings.HasPrefix(body, "data: 5\n\n"), "%s", body)
	require.True(t, strings.HasSuffix(body, "data: lift-off\n\n"), "%s", body)
	p.stop(t)
}

func TestTheServerEndsWhatItBeganBeforeItStops(t *testing.T) {
	t.Parallel()
	p := start(t, "-store", "memory:")
	answer, _ := p.open(t, "/demo/stream")
	defer answer.Body.Close()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	b, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Contains(t, string(b), "lift-off")
	p.wait(t)
}

func TestAConfigThatCannotWorkIsRefusedInWords(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"dev mode does not listen on 0.0.0.0:4020":   {"-addr", "0.0.0.0:4020"},
		"dev mode does not listen on :4020":          {"-addr", ":4020"},
		"V402_EVM needs V402_EVM_KEYS":               {"-evm", "eip155:8453=http://127.0.0.1:1"},
		"V402_EVM_KEYS without V402_EVM":             {"-evm-keys", "0x01"},
		"is not CAIP2=RPCURL":                        {"-evm", "http://127.0.0.1:1"},
		"is neither a CAIP-2 network":                {"-evm", "mainnet=http://127.0.0.1:1"},
		"is not memory:, sqlite:PATH or postgres":    {"-store", "mysql://x"},
		"flag provided but not defined":              {"-port", "1"},
		`"0.5" is not a whole number of wei`:         {"-max-fee-per-gas", "0.5"},
		`"10.0.0.0/64" is no address and no network`: {"-trusted-proxies", "127.0.0.1,10.0.0.0/64"},
		`unexpected argument "serve"`:                {"serve"},
		"does not answer":                            {"-store", "memory:", "-evm", "eip155:8453=http://127.0.0.1:1", "-evm-keys", "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"},
		"V402_REGISTRY_KEY is not 32 bytes":          {"-registry-key", "c0ffee"},
		"V402_WEBHOOK_KEY is not 32 bytes":           {"-webhook-key", "c0ffee"},
		"relayer key 1: it is not 32 bytes in hexa":  {"-store", "memory:", "-evm", "eip155:8453=http://127.0.0.1:1", "-evm-keys", "secret"},
	} {
		cmd := command(t, args...)
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		require.Error(t, err, want)
		require.Contains(t, string(out), want)
		require.NotContains(t, string(out), "secret")
		require.NotContains(t, string(out), "59c6995e", "a key is printed")
	}
}

func TestASecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	const secret = "correct-horse-battery-staple"
	for _, variable := range []string{
		"V402_EVM_KEYS=" + secret,
		"V402_TOKEN=" + secret,
		"V402_EVM=eip155:8453=https://node.example/v2/" + secret,
		"V402_EVM=https://node.example/v2/" + secret,
		"V402_EVM=https://node.example/v2/" + secret + "?a=b",
		"V402_STORE=postgres://user:" + secret + "@127.0.0.1:1/v402",
		"V402_STORE=postgres://127.0.0.1:1/v402?user=user&password=" + secret,
		"V402_STORE=mysql://user:" + secret + "@127.0.0.1:1/v402",
	} {
		for _, args := range [][]string{{"-help"}, {"-nonsense"}, {"serve"}, {"-addr", "0.0.0.0:4020", "-evm-keys", "0x01"}} {
			cmd := command(t, args...)
			cmd.Dir, cmd.Env = t.TempDir(), append(cmd.Env, variable)
			out, _ := cmd.CombinedOutput() // -help ends well, the others do not
			require.NotEmpty(t, out)
			require.NotContains(t, string(out), secret, "%s %s", variable, args)
		}
	}
}

func TestAPasswordOfTheStoreIsNeverPrinted(t *testing.T) {
	t.Parallel()
	for _, store := range []string{
		"postgres://user:secret@127.0.0.1:1/v402", "postgres://127.0.0.1:1/v402?user=user&password=secret", "mysql://user:secret@127.0.0.1:1/v402",
	} {
		out, err := command(t, "-addr", "127.0.0.1:0", "-store", store).CombinedOutput()
		require.Error(t, err)
		require.NotContains(t, string(out), "secret")
	}
}

var adminToken = regexp.MustCompile(`admin's token, shown this once: (\S+)\n`)

// api sends a request to the registry and reads its data.
func (p *process) api(t *testing.T, method, path, body, header, value string, data any) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	require.NoError(t, err)
	if header != "" {
		r.Header.Set(header, value)
	}
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&struct{ Data any }{data}))
	return answer.StatusCode
}

func TestTheRegistryIsServedToItsAdminAndItsPlatforms(t *testing.T) {
	t.Parallel()
	store := "sqlite:" + filepath.Join(t.TempDir(), "v402.db")
	first := start(t, "-store", store)
	made := adminToken.FindStringSubmatch(first.out)
	require.NotNil(t, made, first.out)
	require.Equal(t, 201, first.api(t, "POST", "/api/platforms/register", `{"name":"Ann","email":"ann@example.com","password":"correct horse","password_confirmation":"correct horse",
		"platform_name":"Books","platform_address":"1 Main St","tin_number":"1","platform_phone":"1","platform_email":"office@example.com",
		"bank_account_number":"1","bank_routing_number":"1","bank_name":"Bank"}`, "", "", nil))
	require.Equal(t, 401, first.api(t, "POST", "/api/admin/applications/1/approve", "", "", "", nil))
	require.Equal(t, 403, first.api(t, "POST", "/api/admin/applications/1/approve", "", "Authorization", "Bearer guess", nil))
	var approved struct {
		Key string `json:"api_key"`
	}
	require.Equal(t, 200, first.api(t, "POST", "/api/admin/applications/1/approve", "", "Authorization", "Bearer "+made[1], &approved))
	require.Equal(t, 201, first.api(t, "POST", "/api/contracts/register", `{"ipfs_hash":"QmTest123","metadata_cid":"QmMeta456","contract_hashes":["hash1","hash2"]}`, "X-API-Key", approved.Key, nil))
	first.stop(t)
	require.NotContains(t, first.log.String(), made[1])

	second := start(t, "-store", store, "-admin-token", "mine")
	require.NotContains(t, second.out, "mine")
	require.NotRegexp(t, adminToken, second.out)
	require.Equal(t, 200, second.api(t, "POST", "/api/contracts/validate", `{"contract_hash":"hash1"}`, "X-API-Key", approved.Key, nil))
	var application struct {
		TIN string `json:"tin_number"`
	}
	require.Equal(t, 200, second.api(t, "GET", "/api/admin/applications/1", "", "Authorization", "Bearer mine", &application))
	require.Equal(t, "1", application.TIN, "it was encrypted by the process before")
	require.Equal(t, 404, second.api(t, "GET", "/api/nothing", "", "", "", nil))
	second.stop(t)
}

func TestAServerThatWasKilledSellsOnThoughItsChainIsGone(t *testing.T) {
	t.Parallel()
	store := "sqlite:" + filepath.Join(t.TempDir(), "v402.db")
	first := start(t, "-store", store)
	for range 20 {
		go func() { _, _ = first.trySettle(t.Context(), shop) }()
	}
	time.Sleep(50 * time.Millisecond) // somewhere in the middle of them
	require.NoError(t, first.cmd.Process.Kill())
	_ = first.cmd.Wait()

	second := start(t, "-store", store)
	_, settled := second.buy(t, "/demo/quote")
	require.True(t, settled.Success, "%+v", settled)
	second.stop(t)
}
