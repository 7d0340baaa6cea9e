// The page that asks for the operator's token. No script, no style of its own: the headers allow neither inline.

/** The page. `problem`: the token was wrong, or so many seconds have to pass before the next try. */
export function writeLoginPage(problem?: 'wrong' | number): string {
  const told =
    problem === undefined
      ? ''
      : `<p role="alert">${problem === 'wrong' ? 'This token is wrong.' : `Too many wrong tokens: wait ${problem} s.`}</p>`
  return `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>writeback: queues</title></head>
<body>
<main>
<h1>writeback: queues</h1>
${told}
<form method="post" action="/login">
<p><label>Operator token <input name="token" type="password" autocomplete="current-password" required autofocus></label>
<button type="submit">Sign in</button></p>
</form>
<p>The token was made by: writeback board token</p>
</main>
</body>
</html>
`
}
