package clipboard

import "context"

func copyText(ctx context.Context, text string) error {
	return pipe(ctx, text, []string{"/usr/bin/pbcopy"})
}
