// Package chrome drives a headless Chromium through pages as a person would:
// it fills a form and presses Enter, and reads what the page says.
package chrome

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// ErrMissing: Chromium is not installed.
var ErrMissing = errors.New("chromium is not installed (make deps)")

// Browser is a running Chromium with one tab. Close it with Close.
type Browser struct {
	ctx    context.Context
	cancel []context.CancelFunc
}

// Start runs Chromium with an empty profile in dir.
func Start(ctx context.Context, dir string) (*Browser, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, errors.Join(ErrMissing, err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(dir),
		chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
	)
	alloc, cancelAlloc := chromedp.NewExecAllocator(ctx, options...)
	tab, cancelTab := chromedp.NewContext(alloc)
	b := &Browser{ctx: tab, cancel: []context.CancelFunc{cancelTab, cancelAlloc}}
	if err := chromedp.Run(tab); err != nil {
		b.Close()
		return nil, fmt.Errorf("start chromium: %w", err)
	}
	return b, nil
}

// Close ends Chromium.
func (b *Browser) Close() {
	for _, cancel := range b.cancel {
		cancel()
	}
}

// Open loads a page.
func (b *Browser) Open(url string) error { return b.run(chromedp.Navigate(url)) }

// Fill types a value into the field that a CSS selector names.
func (b *Browser) Fill(selector, value string) error {
	if err := b.WaitFor(selector); err != nil {
		return err
	}
	return b.run(chromedp.SendKeys(selector, value, chromedp.ByQuery))
}

// Enter focuses what a CSS selector names and presses Enter, which sends the
// form or presses the button. The page may be gone before the key is up again.
func (b *Browser) Enter(selector string) error {
	if err := b.WaitFor(selector); err != nil {
		return err
	}
	if err := b.settled(chromedp.Focus(selector, chromedp.ByQuery)); err != nil {
		return err
	}
	if err := b.run(chromedp.KeyEvent("\r")); err != nil && !navigated(err) {
		return err
	}
	return nil
}

// settled runs an action, again where another page came in between.
func (b *Browser) settled(a chromedp.Action) error {
	for {
		err := b.run(a)
		if err == nil || !navigated(err) {
			return err
		}
	}
}

// navigated says whether an error only says that another page is loading.
func navigated(err error) bool {
	return strings.Contains(err.Error(), "Cannot find context with specified id") ||
		strings.Contains(err.Error(), "Inspected target navigated or closed")
}

// WaitText waits until the page shows a text.
func (b *Browser) WaitText(text string) error {
	return b.settled(chromedp.Poll(fmt.Sprintf("document.body !== null && document.body.innerText.includes(%q)", text), nil))
}

// WaitFor waits until a CSS selector names something visible.
func (b *Browser) WaitFor(selector string) error {
	return b.settled(chromedp.WaitVisible(selector, chromedp.ByQuery))
}

// Text is the visible text of what a CSS selector names.
func (b *Browser) Text(selector string) (string, error) {
	var text string
	err := b.run(chromedp.Text(selector, &text, chromedp.ByQuery))
	return strings.TrimSpace(text), err
}

// Location is the address of the page.
func (b *Browser) Location() (string, error) {
	var at string
	return at, b.run(chromedp.Location(&at))
}

// Screenshot is the page as a PNG.
func (b *Browser) Screenshot() ([]byte, error) {
	var png []byte
	return png, b.run(chromedp.CaptureScreenshot(&png))
}

// patience is how long one action may take.
const patience = 20 * time.Second

func (b *Browser) run(actions ...chromedp.Action) error {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, actions...)
}
