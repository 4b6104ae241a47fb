// A certified OpenID provider (oidc-provider) on loopback, independent of the
// embedded one. Arguments: port, client id, client secret, redirect URI.
// Its own development pages take any login name as the person and any password.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [port, clientID, clientSecret, redirectURI, modules] = process.argv.slice(2);
const require = createRequire(pathToFileURL(modules + '/'));
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href);

const issuer = `http://localhost:${port}`;
const provider = new Provider(issuer, {
  clients: [{
    client_id: clientID, client_secret: clientSecret, redirect_uris: [redirectURI],
    response_types: ['code'], grant_types: ['authorization_code', 'refresh_token'],
  }],
  pkce: { required: () => true },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  scopes: ['openid', 'email', 'profile', 'groups', 'offline_access'],
  cookies: { keys: [clientSecret] },
  findAccount: (ctx, sub) => ({
    accountId: sub,
    claims: () => ({
      sub, email: sub.includes('@') ? sub : `${sub}@site.com`, email_verified: !sub.startsWith('unverified'),
      name: sub, groups: ['staff'],
    }),
  }),
});
provider.listen(Number(port), '127.0.0.1', () => console.log(`ready ${issuer}`));
