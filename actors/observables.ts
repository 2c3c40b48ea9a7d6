/**
 * One ordered stream of events per group; `views`, `deliveries` and `status` are synchronous filters of it, because
 * virtual synchrony *is* the relative order of views and messages. `observeOn` and the like give that order up.
 *
 * Events are made only if somebody listens.
 */
import { filter, map, Observable, Subject } from 'rxjs';
import type { GroupStatus } from '../lib/events.js';
import type { DeliveryEvent, GroupEvent, View } from './types.js';

/** A group's events and what a late subscriber starts with. */
export interface GroupStream {
  readonly subject: Subject<GroupEvent>;
  view: View | undefined;
  status: GroupStatus;
  why: string;
  since: Date;
}

/** A stream at the start of a membership. */
export function groupStream(): GroupStream {
  return { subject: new Subject(), view: undefined, status: 'joining', why: 'spawned', since: new Date() };
}

/** Takes on a status and tells it. */
export function emitStatus(stream: GroupStream, status: GroupStatus, why: string): void {
  if (status !== stream.status) stream.since = new Date();
  stream.status = status;
  stream.why = why;
  if (stream.subject.observed) stream.subject.next({ kind: 'status', status, why });
}

/** Takes on a view and tells it. */
export function emitView(stream: GroupStream, view: View): void {
  stream.view = view;
  if (stream.subject.observed) stream.subject.next({ kind: 'view', view });
}

/** Everything, from now on. Completes when the member has left. */
export function eventsOf<Msg>(stream: GroupStream): Observable<GroupEvent<Msg>> {
  return stream.subject.asObservable() as Observable<GroupEvent<Msg>>;
}

/** The current view, if there is one, and every later one. */
export function viewsOf(stream: GroupStream): Observable<View> {
  return new Observable((subscriber) => {
    if (stream.view) subscriber.next(stream.view);
    return stream.subject
      .pipe(
        filter((event) => event.kind === 'view'),
        map((event) => event.view),
      )
      .subscribe(subscriber);
  });
}

/** The current status and every later one. */
export function statusOf(stream: GroupStream): Observable<GroupStatus> {
  return new Observable((subscriber) => {
    subscriber.next(stream.status);
    return stream.subject
      .pipe(
        filter((event) => event.kind === 'status'),
        map((event) => event.status),
      )
      .subscribe(subscriber);
  });
}

/** Every delivery, after the actor's function has run. */
export function deliveriesOf<Msg>(stream: GroupStream): Observable<DeliveryEvent<Msg>> {
  return stream.subject.pipe(filter((event) => event.kind === 'delivery')) as Observable<DeliveryEvent<Msg>>;
}
