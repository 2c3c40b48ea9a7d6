/**
 * Logs: a winston logger for the library, and nact's logger interface on top of it for actors whose system has none.
 */
import type { Logger as ActorLogger } from 'nact';
import winston, { type Logger } from 'winston';

/** Warnings and errors to the console (standard error), one line each. */
export function consoleLogger(): Logger {
  return winston.createLogger({
    level: 'warn',
    format: logFormat(),
    transports: [
      new winston.transports.Console({ stderrLevels: ['error', 'warn', 'info', 'verbose', 'debug', 'silly'] }),
    ],
  });
}

/**
 * A winston format with a line for each entry, its fields behind the message: `time level message key=value ...`. The library's lines have
 * `domain` and `node`, those of a member and of its function's `ctx.log` also `actor`, `group` and `view`. For machines take
 * `winston.format.json()`, which has the same fields.
 *
 * @example
 * ```ts
 * const logger = winston.createLogger({ format: logFormat(), transports: [new winston.transports.Console()] });
 * start(groups({ domain: 'shop', logger }));
 * ```
 */
export function logFormat(): winston.Logform.Format {
  return winston.format.combine(winston.format.timestamp(), winston.format.printf(line));
}

/** The same logger with fields for all its lines; a getter among them is asked for each line. */
export function withFields(logger: Logger, fields: object): Logger {
  // one that only looks like winston's may have none
  return typeof (logger as Partial<Logger>).child === 'function' ? logger.child(fields) : logger;
}

/** `time level message key=value ...` */
function line(info: winston.Logform.TransformableInfo): string {
  const { level, message, timestamp, ...fields } = info;
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('');
  return `${String(timestamp)} ${level} ${String(message)}${rest}`;
}

/** nact's logger on a winston logger; `fields` go with each line. */
export function actorLogger(logger: Logger, fields: () => object): ActorLogger {
  const at = (level: string) => (message: string) => void logger.log(level, message, fields());
  return {
    trace: at('silly'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    critical: at('error'),
    event: (name, properties: unknown) => void logger.info(name, { ...fields(), properties }),
    exception: (exception) => void logger.error(exception.stack ?? exception.message, fields()),
    metric: (name, values: unknown) => void logger.info(name, { ...fields(), values }),
  };
}
