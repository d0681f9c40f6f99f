import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Ajv2020Module from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import type { Answer } from './client.ts';

type Schema = Readonly<Record<string, unknown>>;
interface Reference {
  readonly $ref: string;
}
interface Header {
  readonly required?: boolean;
  readonly schema: Schema;
}
interface ResponseObject {
  readonly headers?: Record<string, Header | Reference>;
  readonly content?: Record<string, { schema: Schema }>;
}
interface OpenApi {
  readonly paths: Record<string, Record<string, { responses: Record<string, ResponseObject | Reference> }>>;
}

const FILE = fileURLToPath(new URL('../../schema/openapi.yaml', import.meta.url));
const document = parse(readFileSync(FILE, 'utf8')) as OpenApi;

const ajv = new Ajv2020Module.default({ strict: false, allErrors: true });
ajv.addSchema(document, 'openapi');

/** Throws unless schema/openapi.yaml describes this answer: its status, its headers and its body. */
export function assertDocumented(method: string, path: string, answer: Answer): void {
  const route = routeOf(path);
  const operation = document.paths[route]?.[method === 'HEAD' ? 'get' : method.toLowerCase()];
  const response = operation?.responses[String(answer.status)];
  const where = `${method} ${route} ${answer.status}`;
  if (!response) throw new Error(`schema/openapi.yaml does not know ${where}`);
  const { headers = {}, content } = resolve(response);
  for (const [name, entry] of Object.entries(headers)) {
    const header = resolve(entry);
    const value = answer.headers[name.toLowerCase()];
    if (value === undefined && !header.required) continue;
    assertSchema(header.schema, value, `${where}, header ${name}`);
  }
  if (!content) {
    if (answer.text !== '') throw new Error(`${where} has a body that schema/openapi.yaml does not know`);
    return;
  }
  if (method === 'HEAD') return;
  const schema = content[answer.headers['content-type']?.split(';')[0] ?? '']?.schema;
  if (!schema) throw new Error(`${where} has a content type that schema/openapi.yaml does not know`);
  assertSchema(schema, answer.json, `${where}, body`);
}

function routeOf(path: string): string {
  const [pathname = ''] = path.split('?');
  return pathname.replace(/^(\/messages?)\/.*$/, '$1/{sha}');
}

function resolve<Value extends object>(value: Value | Reference): Value {
  if (!('$ref' in value)) return value;
  const keys = value.$ref.replace('#/', '').split('/');
  return keys.reduce<unknown>((part, key) => (part as Record<string, unknown>)[key], document) as Value;
}

function assertSchema(schema: Schema, value: unknown, where: string): void {
  const validate = ajv.compile(withAbsoluteReferences(schema));
  if (!validate(value)) throw new Error(`${where}: ${ajv.errorsText(validate.errors)}`);
}

function withAbsoluteReferences(schema: Schema): Schema {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi#/')) as Schema;
}
