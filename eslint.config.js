import tseslint from 'typescript-eslint';

/** Import walls: what a room may import, as a regular expression, and why nothing else. */
const walls = [
  {
    files: ['src/messages/message.ts', 'src/messages/message.service.ts', 'src/messages/message.store.ts'],
    allowed: String.raw`node:|\./message(\.store|\.cache)?\.ts$|\.\./errors\.ts$`,
    message: 'The domain knows only errors.ts and Node; protocols, stores and libraries come to it.',
  },
  {
    files: ['src/stores/**'],
    allowed: String.raw`node:|\./|\.\./group-commit\.ts$|\.\./(\.\./)?messages/message(\.store)?\.ts$|\.\./(\.\./)?errors\.ts$`,
    message: 'A store knows the domain and its own engine, no protocol and no mechanism.',
  },
  {
    files: ['src/stores/postgres/**'],
    allowed: String.raw`node:|pg$|dataloader$|\./|\.\./group-commit\.ts$|\.\./\.\./messages/message(\.store)?\.ts$|\.\./\.\./errors\.ts$`,
    message: 'A store knows the domain and its own engine, no protocol and no mechanism.',
  },
  {
    files: ['src/http/**', 'src/observability/**'],
    allowed: String.raw`(?!(\.\./)+(messages|stores|graphql)/)`,
    message: 'A mechanism knows neither the domain nor the doors.',
  },
  {
    files: ['src/observability/metrics/store-metrics.ts'],
    allowed: String.raw`\./|\.\./\.\./messages/message\.store\.ts$`,
    message: 'It tells what the port says that a store tells of itself.',
  },
  {
    files: ['src/graphql/**'],
    allowed: String.raw`(?!(\.\./)+(messages|stores)/)`,
    message: 'The protocol does not know the domain; the resolver comes to it.',
  },
  {
    files: ['src/config.ts', 'src/setting-values.ts', 'src/errors.ts'],
    allowed: String.raw`node:|\./stores/open-store\.ts$|\./(spelling|setting-values)\.ts$`,
    message: 'The two tables know nothing but types, the parsers of their values, and spelling.',
  },
  {
    files: ['src/commands/**'],
    allowed: String.raw`node:|\./|\.\./(messages|stores)/|\.\./(config|setting-values|errors)\.ts$`,
    message: 'A command knows stores and messages, no protocol.',
  },
];

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'test/gql/'] },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['*.js', 'scripts/*.js'] } } },
    rules: {
      'max-lines': ['error', { max: 200, skipBlankLines: false }],
      'max-lines-per-function': ['error', { max: 60, skipComments: true }],
      'max-params': ['error', 4],
      'no-console': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-invalid-void-type': [
        'error',
        { allowInGenericTypeArguments: true, allowAsThisParameter: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Export by name.' },
        {
          selector: "MemberExpression[object.name='process'][property.name='env']",
          message: 'Only config.ts reads settings.',
        },
        {
          selector: "CallExpression[callee.object.name='process'][callee.property.name='exit']",
          message: 'Only main.ts ends the process.',
        },
      ],
    },
  },
  {
    files: ['src/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { group: ['**/test/**'], message: 'src never imports test.' },
            { group: ['**/app.ts', '**/main.ts'], message: 'Only main.ts imports app.ts; nobody imports main.ts.' },
          ],
        },
      ],
    },
  },
  ...walls.map(({ files, allowed, message }) => ({
    files,
    rules: { 'no-restricted-imports': ['error', { patterns: [{ regex: `^(?!${allowed})`, message }] }] },
  })),
  {
    // TypeGraphQL's classes are shapes: whatever has the shape will do.
    files: ['src/messages/message.resolver.ts', 'src/messages/message.type.ts'],
    rules: { '@typescript-eslint/no-unsafe-class-instance-assignment': 'off' },
  },
  {
    // argv, env, signals and exit codes live here.
    files: ['src/main.ts'],
    rules: { 'no-restricted-syntax': 'off', 'no-restricted-imports': 'off' },
  },
  {
    files: ['test/**', 'scripts/**', 'bench/**', '*.js'],
    rules: {
      'no-restricted-syntax': 'off',
      'max-lines': ['error', { max: 320 }],
      'max-lines-per-function': 'off',
      'max-params': 'off',
      'no-console': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
    },
  },
  {
    files: ['**/*.js'],
    ...tseslint.configs.disableTypeChecked,
  },
);
