using Microsoft.Extensions.DependencyInjection;
using Orleans.Runtime;
using Orleans.Runtime.Placement;

namespace Orleans.Hosting
{
    /// <summary>Registers placement directors.</summary>
    public static class PlacementStrategyExtensions
    {
        /// <summary>Has grains of <typeparamref name="TStrategy"/> placed by <typeparamref name="TDirector"/>.</summary>
        public static ISiloBuilder AddPlacementDirector<TStrategy, TDirector>(this ISiloBuilder builder)
            where TStrategy : PlacementStrategy, new()
            where TDirector : class, IPlacementDirector
        {
            builder.Services.AddPlacementDirector<TStrategy, TDirector>();
            return builder;
        }

        /// <summary>Has grains of <typeparamref name="TStrategy"/> placed by what <paramref name="createDirector"/> makes.</summary>
        public static ISiloBuilder AddPlacementDirector<TStrategy>(this ISiloBuilder builder, Func<IServiceProvider, IPlacementDirector> createDirector)
            where TStrategy : PlacementStrategy, new()
        {
            builder.Services.AddPlacementDirector<TStrategy>(createDirector);
            return builder;
        }

        /// <summary>Has grains of <typeparamref name="TStrategy"/> placed by <typeparamref name="TDirector"/>.</summary>
        public static void AddPlacementDirector<TStrategy, TDirector>(this IServiceCollection services)
            where TStrategy : PlacementStrategy, new()
            where TDirector : class, IPlacementDirector => services.AddPlacementDirector<TStrategy, TDirector>(ServiceLifetime.Singleton);

        /// <summary>Has grains of <typeparamref name="TStrategy"/> placed by <typeparamref name="TDirector"/>.</summary>
        public static void AddPlacementDirector<TStrategy, TDirector>(this IServiceCollection services, ServiceLifetime strategyLifetime)
            where TStrategy : PlacementStrategy
            where TDirector : class, IPlacementDirector
        {
            services.Add(ServiceDescriptor.DescribeKeyed(typeof(PlacementStrategy), typeof(TStrategy).Name, typeof(TStrategy), strategyLifetime));
            services.AddKeyedSingleton<IPlacementDirector, TDirector>(typeof(TStrategy));
        }

        /// <summary>Has grains of <typeparamref name="TStrategy"/> placed by what <paramref name="createDirector"/> makes.</summary>
        public static void AddPlacementDirector<TStrategy>(this IServiceCollection services, Func<IServiceProvider, IPlacementDirector> createDirector)
            where TStrategy : PlacementStrategy, new() => services.AddPlacementDirector<TStrategy>(createDirector, ServiceLifetime.Singleton);

        /// <summary>Has grains of <typeparamref name="TStrategy"/> placed by what <paramref name="createDirector"/> makes.</summary>
        public static void AddPlacementDirector<TStrategy>(
            this IServiceCollection services, Func<IServiceProvider, IPlacementDirector> createDirector, ServiceLifetime strategyLifetime)
            where TStrategy : PlacementStrategy
        {
            services.Add(ServiceDescriptor.DescribeKeyed(typeof(PlacementStrategy), typeof(TStrategy).Name, typeof(TStrategy), strategyLifetime));
            services.AddKeyedSingleton(typeof(TStrategy), (provider, _) => createDirector(provider));
        }
    }
}

namespace Orleans.Placement
{
    /// <summary>Registers placement filters.</summary>
    public static class PlacementFilterExtensions
    {
        /// <summary>Has the filters <typeparamref name="TFilter"/> applied by <typeparamref name="TDirector"/>.</summary>
        public static IServiceCollection AddPlacementFilter<TFilter, TDirector>(this IServiceCollection services, ServiceLifetime strategyLifetime)
            where TFilter : PlacementFilterStrategy
            where TDirector : class, IPlacementFilterDirector
        {
            services.Add(ServiceDescriptor.DescribeKeyed(typeof(PlacementFilterStrategy), typeof(TFilter).Name, typeof(TFilter), strategyLifetime));
            return services.AddKeyedSingleton<IPlacementFilterDirector, TDirector>(typeof(TFilter));
        }
    }
}
