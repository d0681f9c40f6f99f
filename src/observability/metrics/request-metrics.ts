import { errorTable, type ErrorCode } from '../../errors.ts';
import type { RequestContext } from '../../http/context.ts';
import type { RequestObserver } from '../../http/observe-requests.ts';
import type { Api } from '../../http/route.ts';
import { Durations } from './durations.ts';
import { counter, durationFamilies, type Family, type Labels } from './family.ts';

/** Others are refused on every path; which ones they are is the client's choice, and must not make a series. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'OPTIONS']);

/** As nginx has it: the client left before the answer began. */
const CLIENT_CLOSED_REQUEST = 499;

const DOORS = ['rest', 'graphql', 'other'] as const;
export type Door = (typeof DOORS)[number];

/** Requests of one kind. */
interface Kind {
  readonly door: Door;
  readonly labels: Labels;
  readonly durations: Durations;
  readonly statuses: Map<number, number>;
  receivedBytes: number;
  sentBytes: number;
}

/**
 * Counts finished requests. Kinds are made of what the service knows (route templates, methods, kinds of operations,
 * statuses, codes), so that no client can make more series than there are. Every request pays for `record`: it adds to
 * plain numbers, and labels are written only when somebody asks.
 */
export class RequestMetrics {
  readonly #kinds = new Map<string, Kind>();
  readonly #errors = new Map(DOORS.map((door) => [door, new Map(codes().map((code) => [code, 0]))] as const));

  readonly record: RequestObserver = (context, { end, milliseconds }) => {
    const { res, errorCodes } = context;
    const kind = this.#kindOf(context);
    const status = res.headersSent ? res.statusCode : CLIENT_CLOSED_REQUEST;
    kind.durations.record(milliseconds / 1000, end);
    kind.statuses.set(status, (kind.statuses.get(status) ?? 0) + 1);
    kind.receivedBytes += context.receivedBytes;
    kind.sentBytes += context.sentBytes;
    for (const code of errorCodes) this.recordError(code, kind.door);
  };

  /** An answer with such an error. */
  recordError(code: ErrorCode, door: Door): void {
    const errors = this.#errors.get(door);
    errors?.set(code, (errors.get(code) ?? 0) + 1);
  }

  families(): Family[] {
    const kinds = [...this.#kinds.values()];
    return [
      counter('hashpost_requests_total', 'Requests that were answered, or whose client left (499).', statusesOf(kinds)),
      ...durationFamilies('hashpost_request_duration', 'From the head of a request to the end of its answer', kinds),
      counter(
        'hashpost_request_body_bytes_total',
        'Bytes of request bodies that were read.',
        byDoor(kinds, ({ receivedBytes }) => receivedBytes),
      ),
      counter(
        'hashpost_response_body_bytes_total',
        'Bytes of answer bodies.',
        byDoor(kinds, ({ sentBytes }) => sentBytes),
      ),
      counter(
        'hashpost_errors_total',
        'Answers with an error of this code.',
        [...this.#errors].flatMap(([door, errors]) =>
          [...errors].map(([code, value]) => ({ labels: { door, code }, value })),
        ),
      ),
    ];
  }

  #kindOf({ req, route, routePath, operation = '' }: RequestContext): Kind {
    const method = METHODS.has(req.method ?? '') ? String(req.method) : 'other';
    const key = `${method} ${operation} ${routePath}`;
    const known = this.#kinds.get(key);
    if (known) return known;
    const door = doorOf(route?.api);
    const kind = {
      door,
      labels: { door, route: routePath, operation, method },
      durations: new Durations(),
      statuses: new Map<number, number>(),
      receivedBytes: 0,
      sentBytes: 0,
    };
    this.#kinds.set(key, kind);
    return kind;
  }
}

function doorOf(api: Api | undefined): Door {
  return api?.name === 'rest' || api?.name === 'graphql' ? api.name : 'other';
}

/** All from the start at zero, because the rate of a series begins with its second value. */
function codes(): ErrorCode[] {
  return Object.keys(errorTable) as ErrorCode[];
}

function statusesOf(kinds: readonly Kind[]): { labels: Labels; value: number }[] {
  return kinds.flatMap(({ labels, statuses }) =>
    [...statuses].map(([status, value]) => ({ labels: { ...labels, status: String(status) }, value })),
  );
}

function byDoor(kinds: readonly Kind[], bytesOf: (kind: Kind) => number): { labels: Labels; value: number }[] {
  return DOORS.map((door) => ({
    labels: { door },
    value: kinds.filter((kind) => kind.door === door).reduce((sum, kind) => sum + bytesOf(kind), 0),
  }));
}
